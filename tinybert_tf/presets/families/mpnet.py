"""MPNet (arXiv 2004.09297): its names, vocabulary and positions, translated to BERT's and back.

An MPNet has BERT's WordPieces, a few places later, and special tokens of its own. The rows of its tables are put into
BERT's order, so it accepts BERT's ids, and one tokenizer serves teacher and student.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.presets.content import TOKENIZER_CONFIG_FILE, FolderContent, Vocabulary, text_of
from tinybert_tf.presets.families.bert import Bert, renamed
from tinybert_tf.presets.tensors import Tensors
from tinybert_tf.presets.vocabulary import stored_pieces

# Positions are counted from the row behind the padding's.
FIRST_POSITION = 2
# For each of BERT's special tokens: the key of MPNet's in tokenizer_config.json, and its default.
_SPECIALS = {
    "[PAD]": ("pad_token", "<pad>"),
    "[UNK]": ("unk_token", "[UNK]"),
    "[CLS]": ("cls_token", "<s>"),
    "[SEP]": ("sep_token", "</s>"),
    "[MASK]": ("mask_token", "<mask>"),
}
# Parts of names, BERT's and MPNet's. BERT's pooler is a part of the classifier's head in an MPNet.
_NAMES = {
    "attention.self.query.": "attention.attn.q.",
    "attention.self.key.": "attention.attn.k.",
    "attention.self.value.": "attention.attn.v.",
    "attention.output.dense.": "attention.attn.o.",
    "attention.output.LayerNorm.": "attention.LayerNorm.",
}
_HEAD_NAMES = {"pooler.dense.": "classifier.dense.", "classifier.": "classifier.out_proj."}
_TOKENS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"


class Mpnet(Bert):
    """How MPNets are stored: other names, another order of the vocabulary, positions from 2, no segments."""

    model_type = "mpnet"
    architectures: ClassVar[dict[str, str]] = {
        "BertModel": "MPNetModel",
        "BertForSequenceClassification": "MPNetForSequenceClassification",
        "BertForQuestionAnswering": "MPNetForQuestionAnswering",
    }
    fixed: ClassVar[dict[str, Any]] = {"num_segments": 0, "pooler_activation": "tanh", "embedding_dim": 0}

    def encoder_config(self, content: dict, file: Path) -> EncoderConfig:
        config = super().encoder_config(content, file)
        return dataclasses.replace(
            config,
            max_sequence_length=config.max_sequence_length - FIRST_POSITION,
            relative_position_buckets=content.get("relative_attention_num_buckets", 32),
        )

    def vocabulary(self, folder: Path) -> Vocabulary:
        """Reads the pieces, and the names of the special tokens from `tokenizer_config.json` if it exists.

        Raises:
            InputError: A special token is missing, or the rest is not a BERT's WordPiece vocabulary.
        """
        file, theirs = stored_pieces(folder)
        settings = {}
        if (folder / TOKENIZER_CONFIG_FILE).is_file():
            settings = read_json(folder / TOKENIZER_CONFIG_FILE)
        places = {piece: place for place, piece in enumerate(theirs)}
        special = self.special_tokens(settings)
        named = {ours: special[key] for ours, (key, _) in _SPECIALS.items()}
        own = {name for name in named.values() if name not in named} | {"<unk>"}
        pieces = [piece for piece in theirs if piece not in own]
        missing = [piece for piece in _SPECIALS if piece not in places or named[piece] not in places]
        if missing or len(places) < len(theirs):
            got = f"{file} without a place for {', '.join(missing)}" if missing else f"{file} with a piece twice"
            raise InputError("preset", got, "BERT's WordPieces and MPNet's special tokens")
        rows = np.array([places[named.get(piece, piece)] for piece in pieces])
        return Vocabulary(file, pieces, theirs, rows=rows)

    def special_tokens(self, settings: dict) -> dict[str, str]:
        return {key: text_of(settings.get(key)) or default for key, default in _SPECIALS.values()}

    def stored_names(self, name: str) -> Iterator[str]:
        yield from super().stored_names(renamed(name, _NAMES))
        yield renamed(name, _HEAD_NAMES)

    def read(self, tensors: Tensors, stored: str, name: str, shape: tuple, vocabulary: Vocabulary) -> np.ndarray:
        if name == _POSITIONS:
            return tensors.read(stored, (shape[0] + FIRST_POSITION, shape[1]))[FIRST_POSITION:]
        return super().read(tensors, stored, name, shape, vocabulary)

    def content(self, content: FolderContent, config: EncoderConfig) -> FolderContent:
        names = dict(_SPECIALS.values()) | {"bos_token": "<s>", "eos_token": "</s>"}
        return FolderContent(
            _tensors(content.tensors, content.vocabulary),
            self._config(content.config, config),
            _with_own_specials(content.vocabulary),
            content.tokenizer_config | names | {"tokenizer_class": "MPNetTokenizer"},
        )

    def _config(self, content: dict, config: EncoderConfig) -> dict:
        kept = {key: v for key, v in content.items() if key not in ("type_vocab_size", "position_embedding_type")}
        return kept | {
            "architectures": [self.architectures[name] for name in content["architectures"]],
            "model_type": self.model_type,
            "vocab_size": content["vocab_size"] + len(_with_own_specials([])),
            "max_position_embeddings": content["max_position_embeddings"] + FIRST_POSITION,
            "relative_attention_num_buckets": config.relative_position_buckets,
            "bos_token_id": 0,
            "pad_token_id": 1,
            "eos_token_id": 2,
        }


def _tensors(tensors: dict[str, np.ndarray], vocabulary: list[str]) -> dict[str, np.ndarray]:
    is_classifier, places = "classifier.weight" in tensors, {piece: place for place, piece in enumerate(vocabulary)}
    order = [places[piece] for piece in ("[CLS]", "[PAD]", "[SEP]", "[UNK]")]
    order += [*range(len(vocabulary)), places["[MASK]"]]
    turned = {}
    for name, tensor in tensors.items():
        if name.endswith(_TOKENS):
            tensor = tensor[order]
        elif name.endswith(_POSITIONS):
            tensor = np.concatenate([np.zeros_like(tensor[:FIRST_POSITION]), tensor])
        name = renamed(name.replace("bert.", "mpnet.", 1), _NAMES)
        if is_classifier and ("pooler.dense." in name or name.startswith("classifier.")):
            name = renamed(name.removeprefix("mpnet."), _HEAD_NAMES)
        turned[name] = tensor
    return turned


def _with_own_specials(pieces: list[str]) -> list[str]:
    return ["<s>", "<pad>", "</s>", "<unk>", *pieces, "<mask>"]
