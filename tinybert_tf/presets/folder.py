"""Reads and writes a Hugging Face model folder, and reads Google's, without running anything that a file says.

A written folder holds `config.json`, `model.safetensors`, `vocab.txt`, `tokenizer.json`, `tokenizer_config.json` and a
model card.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError, naming
from tinybert_tf.files import json_text, path_of, read_json, write_folder
from tinybert_tf.presets.content import (
    CONFIG_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
    FolderContent,
    Vocabulary,
    config_file,
)
from tinybert_tf.presets.families import FAMILIES, family_of
from tinybert_tf.presets.formats.safetensors_file import SHARD_INDEX_FILE
from tinybert_tf.presets.model_card import model_card
from tinybert_tf.presets.pretrained import Pretrained, tensors_of
from tinybert_tf.presets.tensors import Tensors, write_tensors
from tinybert_tf.presets.tokenizer_files import ADDED_TOKENS_FILE, SPECIAL_TOKENS_FILE, tokenizer_settings
from tinybert_tf.presets.tokenizer_json import tokenizer_json
from tinybert_tf.tokenizer import BertTokenizer
from tinybert_tf.tokenizer.vocabulary import write_vocabulary

CARD_FILE = "README.md"
CLASSIFIER, QUESTION_ANSWERER = "BertForSequenceClassification", "BertForQuestionAnswering"

# Files that a reader would prefer to ours, or read too; they are removed from a folder that we overwrite.
_OTHER_FORMS = (SHARD_INDEX_FILE, SPECIAL_TOKENS_FILE, ADDED_TOKENS_FILE)


class FolderPretrained(Pretrained):
    """The model in a folder of Hugging Face's or Google's. Each file is read once, when it is needed.

    Args:
        folder: The folder, with a `config.json` or `bert_config.json`.

    Raises:
        InputError: That file is missing, cannot be read, or describes a model of an unknown family.
    """

    def __init__(self, folder: Path):
        self.folder, self.name = folder, str(folder)
        self._file = config_file(folder) or folder / CONFIG_FILE
        self.config_source = str(self._file)
        self._content = read_json(self._file)
        self._family = family_of(self._content, self._file)
        self.heads = tuple(self._family.architectures)
        self.head_dropout = self._content.get(self._family.head_dropout_key)
        if self.head_dropout is not None and not (_is_number(self.head_dropout) and 0 <= self.head_dropout < 1):
            got = f"{self._file} with {self._family.head_dropout_key} {self.head_dropout!r}"
            raise InputError("preset", got, "a rate from 0 to below 1")
        self.multi_label = self._content.get("problem_type") == "multi_label_classification"

    @functools.cached_property
    def config(self) -> EncoderConfig:
        return dataclasses.replace(self._stored_config, vocabulary_size=len(self._vocabulary.pieces))

    @functools.cached_property
    def _stored_config(self) -> EncoderConfig:
        """The shape of the stored model, which may have more rows than pieces."""
        return self._family.encoder_config(self._content, self._file)

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        with naming("preset", instead_of="vocabulary"):
            vocabulary = self._family.vocabulary(self.folder)
        lines, rows = len(vocabulary.stored), self._stored_config.vocabulary_size
        if lines > rows:
            got = f"a vocabulary of {lines} pieces in {self.folder}"
            raise InputError("preset", got, f"{rows}, the vocab_size of its config.json")
        if lines < rows:
            logging.info("%s: the %d rows behind the last of %d pieces are left out.", self.folder, rows - lines, lines)
        return dataclasses.replace(vocabulary, size=rows)

    @functools.cached_property
    def tokenizer(self) -> BertTokenizer:
        file = self.folder / TOKENIZER_CONFIG_FILE
        special_tokens = self._family.special_tokens(read_json(file) if file.is_file() else {})
        settings = tokenizer_settings(self.folder, self._vocabulary, special_tokens, self._content)
        length = self.config.max_sequence_length
        settings["sequence_length"] = min(settings.get("sequence_length", length), length)
        takes_pairs = self.config.num_segments != 1
        try:
            return BertTokenizer(self._vocabulary.pieces, takes_pairs=takes_pairs, **settings)
        except InputError as error:
            raise InputError("preset", f"{self._vocabulary.file} with {error.got}", error.expected) from None

    @functools.cached_property
    def _tensors(self) -> Tensors:
        tensors = Tensors(self.folder)
        if any(name.startswith("fit_dense") for name in tensors.names):
            logging.info("%s: its fit_dense layers, which only its own distillation needed, are left out", self.folder)
        return tensors

    @functools.cached_property
    def _architectures(self) -> list[str]:
        """The kinds of model that `config.json` names, in BERT's names."""
        ours = {theirs: ours for ours, theirs in self._family.architectures.items()}
        names = self._content.get("architectures") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError("preset", f"{self._file} with architectures {names!r}", "a list of names")
        return [ours.get(name, name) for name in names]

    @property
    def is_classifier(self) -> bool:
        if not self._architectures:  # Google's folders and old ones of Hugging Face
            return self._find("classifier.weight") is not None
        return self._architectures == [CLASSIFIER]

    @property
    def null_threshold(self) -> float | None:
        threshold = self._content.get("null_threshold")
        if threshold is not None and not _is_number(threshold):
            raise InputError("preset", f"{self._file} with null_threshold {threshold!r}", "a number")
        return threshold

    @property
    def answers_questions(self) -> bool:
        return self._architectures in ([], [QUESTION_ANSWERER]) and self._find("qa_outputs.weight") is not None

    def labels(self) -> list[str]:
        stored = self._find("classifier.weight")
        shape = stored and self._tensors.shape(stored)
        architecture = (self._architectures or [CLASSIFIER])[0]
        if not shape or len(shape) != 2 or architecture != CLASSIFIER:
            got = f"{self.folder}, a {architecture} {'with' if shape else 'without'} classifier.weight"
            raise InputError("preset", got, f"a {CLASSIFIER}, or labels for a new head on an encoder")
        if not self.has("pooler.dense"):
            raise InputError("preset", f"weights in {self.folder} without pooler.dense.weight", "a classifier's pooler")
        kind = self._content.get("problem_type")
        several = ("single_label_classification", "multi_label_classification")
        kinds = ("regression",) if shape[0] == 1 else several
        if kind is not None and kind not in kinds:
            got = f"{self._file} with problem_type {kind!r} and {shape[0]} labels"
            raise InputError("preset", got, "a classifier of two labels or more, or one number")
        return self._label_names(shape[0])

    def _label_names(self, count: int) -> list[str]:
        """Returns `id2label` as a list; transformers omits it if the labels are LABEL_0, LABEL_1 and so on."""
        names = self._content.get("id2label") or {str(i): f"LABEL_{i}" for i in range(count)}
        numbers = [str(i) for i in range(count)]
        if not isinstance(names, dict) or set(names) != set(numbers) or len({str(n) for n in names.values()}) < count:
            expected = f"{count} labels from 0, each once: classifier.weight has as many rows"
            raise InputError("preset", f"{self._file} with id2label {names}", expected)
        return [str(names[number]) for number in numbers]

    def _find(self, name: str) -> str | None:
        return self._tensors.find(self._family.stored_names(name))

    def has(self, prefix: str) -> bool:
        return any(self._find(f"{prefix}.{parameter}") for parameter in ("weight", "bias"))

    def read(self, prefix: str, parameter: tuple[str, str, bool], shape: Sequence[int]) -> np.ndarray:
        theirs, _, transposed = parameter
        if prefix == "cls.predictions" and self._content.get("tie_word_embeddings") is False:
            got = f"{self._file} with tie_word_embeddings False"
            raise InputError("preset", got, "a masked LM whose output is the token table (True)")
        name, shape = f"{prefix}.{theirs}", tuple(shape)
        stored = self._find(name)
        if stored is None:
            got = f"weights in {self.folder} without {name}"
            raise InputError("preset", got, "every weight of the configured model")
        shape = shape[::-1] if transposed else shape
        tensor = self._family.read(self._tensors, stored, name, shape, self._vocabulary)
        return tensor.T if transposed else tensor


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def save_folder(model, folder: str | Path, card: str | None = None) -> None:
    """Writes a model folder, whole or not at all.

    An existing folder keeps its other files. While ours are exchanged it has no `config.json`, so that a reader finds
    no model rather than half of one.

    Args:
        model: A model with `config`, `tokenizer`, `architecture`, `pipeline_tag`, `named_layers()` and `hf_config()`.
        folder: The folder, which is made if it does not exist.
        card: Text of its README.md; by default a short one, if there is none yet.

    Raises:
        InputError: `folder` is a file, or the model has no tokenizer, or its family has no such models.
        OSError: The folder cannot be written.
    """
    folder = path_of(folder).resolve()
    if model.tokenizer is None:
        raise InputError("tokenizer", "a model without one", "a BertTokenizer as the encoder's tokenizer, to be saved")
    if folder.exists() and not folder.is_dir():
        raise InputError("folder", f"{folder}, which is a file", "a folder, or a name for a new one")
    family, tokenizer = FAMILIES.get(model.config.family), model.tokenizer
    if family is None:
        raise InputError("family", repr(model.config.family), f"one of {', '.join(FAMILIES)}")
    if model.architecture not in family.architectures:
        got = f"a {model.architecture} of the family {family.model_type}"
        raise InputError("model", got, f"one of {', '.join(family.architectures)}")
    family.check(model.config)
    config = hf_config(model)
    content = FolderContent(tensors_of(model.named_layers()), config, tokenizer.vocabulary, tokenizer_config(tokenizer))
    content = family.content(content, model.config)
    with write_folder(folder, last=CONFIG_FILE, obsolete=_OTHER_FORMS) as partial:
        write_tensors(content.tensors, partial)
        (partial / CONFIG_FILE).write_text(json_text(content.config), encoding="utf-8")
        write_vocabulary(content.vocabulary, partial / VOCABULARY_FILE)
        (partial / TOKENIZER_FILE).write_text(json_text(tokenizer_json(tokenizer, content)), encoding="utf-8")
        (partial / TOKENIZER_CONFIG_FILE).write_text(json_text(content.tokenizer_config), encoding="utf-8")
        if card is not None or not (folder / CARD_FILE).exists():
            text = model_card(model, folder.name) if card is None else card
            (partial / CARD_FILE).write_text(text, encoding="utf-8")


def hf_config(model) -> dict:
    """Returns a model's `config.json`, in its family's names."""
    own, family = model.hf_config(), FAMILIES[model.config.family]
    shape = family.hf_config(model.config) | {"pad_token_id": model.tokenizer.pad_id}
    return {"architectures": own["architectures"], **shape, **own}


def tokenizer_config(tokenizer: BertTokenizer) -> dict:
    """Returns a tokenizer's `tokenizer_config.json`."""
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": None if tokenizer.strip_accents == tokenizer.lowercase else tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.tokenize_chinese_chars,
        **({} if tokenizer.clean_text else {"clean_text": False}),
        "model_max_length": tokenizer.sequence_length,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
