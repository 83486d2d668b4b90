"""BERT in a Hugging Face folder: `config.json`, names of tensors, vocabulary. Other families override it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.presets.content import FolderContent, Vocabulary
from tinybert_tf.presets.tensors import Tensors
from tinybert_tf.presets.vocabulary import stored_pieces

# Tensors with a row for each piece, and maybe more rows behind the last one.
_PER_PIECE = ("embeddings.word_embeddings.weight", "cls.predictions.bias")


class Bert:
    """How BERTs are stored. Another family overrides what differs.

    Attributes:
        model_type: The family's name, in `config.json` and in `EncoderConfig.family`.
        architectures: Hugging Face's name for each kind of model, by BERT's name.
        sizes: Name in `config.json` of each size in `EncoderConfig`, and its default; None if it must be there.
        rates: The same for numbers from 0 to below 1; None for the default of `EncoderConfig`.
        required: Values that a `config.json` must have, if it has these keys; others make other models of these names.
        same: Keys that must have the value of another key, if they are there.
        fixed: Fields of `EncoderConfig` that are the same in the whole family.
        activation_key: Name in `config.json` of the activation.
        head_dropout_key: Name in `config.json` of the dropout rate of a classifier's head.
    """

    model_type = "bert"
    architectures: ClassVar[dict[str, str]] = {
        "BertModel": "BertModel",
        "BertForSequenceClassification": "BertForSequenceClassification",
        "BertForMaskedLM": "BertForMaskedLM",
        "BertForQuestionAnswering": "BertForQuestionAnswering",
    }
    sizes: ClassVar[dict[str, tuple[str, int | None]]] = {
        "num_layers": ("num_hidden_layers", None),
        "hidden_dim": ("hidden_size", None),
        "num_heads": ("num_attention_heads", None),
        "intermediate_dim": ("intermediate_size", None),
        "vocabulary_size": ("vocab_size", None),
        "max_sequence_length": ("max_position_embeddings", 512),
        "num_segments": ("type_vocab_size", 2),
    }
    rates: ClassVar[dict[str, tuple[str, float | None]]] = {
        "layer_norm_epsilon": ("layer_norm_eps", 1e-12),
        "dropout": ("hidden_dropout_prob", 0.1),
        "attention_dropout": ("attention_probs_dropout_prob", None),
    }
    required: ClassVar[dict[str, Any]] = {
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "add_cross_attention": False,
        "pruned_heads": {},
        "quantization_config": None,
        "auto_map": None,
    }
    same: ClassVar[dict[str, str]] = {"embedding_size": "hidden_size"}
    fixed: ClassVar[dict[str, Any]] = {"relative_position_buckets": 0, "pooler_activation": "tanh", "embedding_dim": 0}
    activation_key, head_dropout_key = "hidden_act", "classifier_dropout"

    def encoder_config(self, content: dict, file: Path) -> EncoderConfig:
        """Returns the shape that a `config.json` describes.

        Args:
            content: Content of the file.
            file: Path of the file, for errors.

        Raises:
            InputError: It describes another kind of model, or lacks a size.
        """
        required = self.required | {name: content.get(other) for name, other in self.same.items()}
        for name, expected in required.items():
            if content.get(name) not in (None, expected):
                got = f"{file} with {name} {content[name]!r}"
                raise InputError("preset", got, "no such setting" if expected is None else repr(expected))
        sizes, rates = {}, {}
        for ours, (theirs, default) in self.sizes.items():
            sizes[ours] = content.get(theirs, default)
            if type(sizes[ours]) is not int or sizes[ours] < 1:
                got = f"{theirs} {sizes[ours]!r}" if theirs in content else f"no {theirs}"
                raise InputError("preset", f"{file} with {got}", "a whole number above 0")
        if sizes["hidden_dim"] % sizes["num_heads"]:
            got = f"{file} with {self.sizes['hidden_dim'][0]} {sizes['hidden_dim']}"
            raise InputError("preset", got, f"a multiple of {self.sizes['num_heads'][0]} {sizes['num_heads']}")
        for ours, (theirs, default) in self.rates.items():
            if default is None and content.get(theirs) is None:
                continue
            rates[ours] = content.get(theirs, default)
            if not isinstance(rates[ours], int | float) or not 0 <= rates[ours] < 1:
                raise InputError("preset", f"{file} with {theirs} {rates[ours]!r}", "a number from 0 to below 1")
        if rates.get("attention_dropout") == rates["dropout"]:
            del rates["attention_dropout"]  # the default: it follows a `dropout` that is asked for
        own = {"family": self.model_type, "activation": content.get(self.activation_key, "gelu")}
        return EncoderConfig(**own | sizes | rates | self.fixed)

    def vocabulary(self, folder: Path) -> Vocabulary:
        """Reads `vocab.txt`, or else a WordPiece `tokenizer.json`, which is all that transformers 5 writes.

        Raises:
            InputError: There is neither, or it is not a WordPiece vocabulary.
        """
        file, pieces = stored_pieces(folder)
        return Vocabulary(file, pieces, pieces)

    def special_tokens(self, settings: dict) -> dict[str, str]:
        """Returns the names of special tokens by their keys in `tokenizer_config.json`, whose content this is."""
        return {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}

    def stored_names(self, name: str) -> Iterator[str]:
        """Yields the names under which a tensor may be stored; `name` is BERT's, without the prefix `bert.`."""
        yield name
        yield f"{self.model_type}.{name}"

    def read(self, tensors: Tensors, stored: str, name: str, shape: tuple, vocabulary: Vocabulary) -> np.ndarray:
        """Returns a tensor in a BERT's form.

        Args:
            tensors: The folder's tensors.
            stored: Stored name of the tensor.
            name: BERT's name of the tensor.
            shape: Shape of the tensor in a BERT.
            vocabulary: The folder's vocabulary.

        Raises:
            InputError: The tensor does not have this shape, or does not hold floats.
        """
        if name in _PER_PIECE:
            table = tensors.read(stored, (vocabulary.size, *shape[1:]))
            return table[: shape[0]] if vocabulary.rows is None else table[vocabulary.rows]
        return tensors.read(stored, shape)

    def check(self, config: EncoderConfig) -> None:
        """Refuses an encoder that no folder of this family can describe.

        Raises:
            InputError: It has what the family lacks.
        """
        for name, value in self.fixed.items():
            if getattr(config, name) != value:
                got = f"{self.model_type} for an encoder with {name} {getattr(config, name)!r}"
                raise InputError("family", got, f"another family, or {name} {value!r}")

    def content(self, content: FolderContent, config: EncoderConfig) -> FolderContent:
        """Returns the content of a folder of this family, from the content in BERT's terms."""
        return content

    def hf_config(self, config: EncoderConfig) -> dict:
        """Returns what a `config.json` says about an encoder, in BERT's terms."""
        return {
            "model_type": "bert",
            **{theirs: getattr(config, ours) for ours, (theirs, _) in Bert.sizes.items()},
            **{theirs: getattr(config, ours) for ours, (theirs, _) in Bert.rates.items()},
            "hidden_act": config.activation,
            "attention_probs_dropout_prob": config.attention_rate,
            "initializer_range": 0.02,
            "position_embedding_type": "absolute",
            "torch_dtype": "float32",
        }


def renamed(name: str, parts: dict[str, str]) -> str:
    """Returns a name with the first of these parts that it has replaced."""
    found = next((part for part in parts if part in name), None)
    return name if found is None else name.replace(found, parts[found])
