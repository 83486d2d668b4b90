"""Model folders in and out: the standard Hugging Face BERT folder, without pickle and without code.

A folder holds `config.json`, `model.safetensors`, `vocab.txt`, `tokenizer_config.json` and a model card.
"""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json, write_json
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM
from tinybert_tf.models.model_card import model_card
from tinybert_tf.presets.families.bert import CONFIG_FILE, encoder_config, hf_config, read_config, read_labels
from tinybert_tf.presets.families.mpnet import FolderContent, MpnetVocabulary, MpnetWeights
from tinybert_tf.presets.tensors import (
    DENSE,
    SHARD_INDEX_FILE,
    Weights,
    encoder_layers,
    head_layers,
    tensors_of,
    write_weights,
)
from tinybert_tf.tokenizer.tokenizer import BertTokenizer, write_vocabulary

CLASSIFIERS = ("BertForSequenceClassification", "MPNetForSequenceClassification")
VOCABULARY_FILE, CARD_FILE = "vocab.txt", "README.md"
TOKENIZER_FILE, TOKENIZER_CONFIG_FILE = "tokenizer.json", "tokenizer_config.json"

# What a reader would believe before, or beside, the files that we write; removed from a folder that we overwrite.
_OTHER_FORMS = (SHARD_INDEX_FILE, TOKENIZER_FILE)


def read_tokenizer(
    folder: Path, argument: str = "preset", sequence_length: int = 512, pieces: list[str] | None = None
) -> BertTokenizer:
    """Reads `vocab.txt`, or else a WordPiece `tokenizer.json`, and the casing (uncased where nothing is said).

    Args:
        folder: the model folder.
        argument: what errors call it.
        sequence_length: most tokens in a row, unless `tokenizer_config.json` wants fewer.
        pieces: the vocabulary, if that of the folder is another model's.

    Raises:
        InputError: there is no usable vocabulary.
    """
    settings, lowercase = {}, True
    if (folder / TOKENIZER_CONFIG_FILE).is_file():
        settings = read_json(folder / TOKENIZER_CONFIG_FILE, argument)
    limit = settings.get("model_max_length")
    limit = min(limit, sequence_length) if isinstance(limit, int) and limit > 2 else sequence_length
    path = folder / VOCABULARY_FILE
    if pieces is None and not path.is_file():
        path = folder / TOKENIZER_FILE
        if not path.is_file():
            raise InputError(argument, f"{folder} without {VOCABULARY_FILE}", "a WordPiece vocabulary")
        pieces, lowercase = _read_wordpieces(path, argument)
    common = {"lowercase": settings.get("do_lower_case", lowercase), "sequence_length": limit}
    try:
        return BertTokenizer.from_file(path, **common) if pieces is None else BertTokenizer(pieces, **common)
    except InputError as error:
        got = error.got if str(path) in str(error.got) else f"{path} with {error.got}"
        raise InputError(argument, got, error.expected) from None


def _read_wordpieces(path: Path, argument: str) -> tuple[list[str], bool]:
    """The vocabulary and casing of a `tokenizer.json`, all that transformers 5 writes."""
    content = read_json(path, argument)
    model, normalizer = content.get("model") or {}, content.get("normalizer") or {}
    ids = model.get("vocab")
    if model.get("type") != "WordPiece" or not isinstance(ids, dict) or sorted(ids.values()) != list(range(len(ids))):
        raise InputError(argument, f"{path} with a {model.get('type')} model", "a WordPiece vocabulary without gaps")
    return sorted(ids, key=ids.get), bool(normalizer.get("lowercase", True))


def load_folder(folder: str | Path, argument: str = "preset", load_weights: bool = True, **kwargs) -> BertEncoder:
    """Loads the encoder of any Hugging Face BERT folder, with its tokenizer. A missing pooler stays random.

    Args:
        folder: the model folder.
        argument: what errors call it.
        load_weights: False leaves the weights random.
        **kwargs: arguments of `BertEncoder`, which go before what `config.json` says.

    Raises:
        InputError: the folder cannot be used; the message names the file.
    """
    folder = Path(folder)
    config = encoder_config(read_config(folder, argument), argument, folder / CONFIG_FILE)
    tokenizer, weights = _open(folder, argument, config, load_weights)
    config = dataclasses.replace(config, vocabulary_size=len(tokenizer.vocabulary))
    try:
        encoder = BertEncoder.from_shape(config, tokenizer=tokenizer, **kwargs)
    except InputError as error:
        raise InputError(
            argument, f"{folder / CONFIG_FILE} with {error.argument} {error.got}", error.expected
        ) from None
    if weights:
        weights.assign(encoder_layers(encoder), optional=("pooler.dense",))
    return encoder


def _open(folder: Path, argument: str, config: EncoderConfig, with_weights: bool):
    """The tokenizer of a model folder and its `Weights`, or None."""
    limit = config.max_sequence_length
    if config.relative_position_buckets:
        vocabulary = MpnetVocabulary(folder, argument)
        tokenizer, count = read_tokenizer(folder, argument, limit, vocabulary.pieces), len(vocabulary.theirs)
    else:
        vocabulary, tokenizer = None, read_tokenizer(folder, argument, limit)
        count = len(tokenizer.vocabulary)
    if count != config.vocabulary_size:
        expected = f"{config.vocabulary_size}, the vocab_size of its config.json"
        raise InputError(argument, f"a vocabulary of {count} pieces in {folder}", expected)
    if not with_weights:
        return tokenizer, None
    return tokenizer, MpnetWeights(folder, argument, vocabulary) if vocabulary else Weights(folder, argument)


def load_classifier_folder(folder: str | Path, argument: str = "preset", **kwargs) -> BertClassifier:
    """Loads a Hugging Face `BertForSequenceClassification` folder with its labels.

    Raises:
        InputError: the folder cannot be used, or holds another kind of model.
    """
    folder = Path(folder)
    config = read_config(folder, argument)
    _, weights = _open(folder, argument, encoder_config(config, argument, folder / CONFIG_FILE), True)
    shape = weights.shape("classifier.weight")
    architecture = (config.get("architectures") or CLASSIFIERS)[0]
    if not shape or len(shape) != 2 or architecture not in CLASSIFIERS:
        got = f"{folder}, a {architecture} {'with' if shape else 'without'} classifier.weight"
        raise InputError(argument, got, "a BertForSequenceClassification, or labels for a new head on an encoder")
    if not weights.shape("pooler.dense.weight"):
        raise InputError(argument, f"weights in {folder} without pooler.dense.weight", "a classifier's pooler")
    if config.get("problem_type") == "multi_label_classification":
        got = f"{folder / CONFIG_FILE} with problem_type 'multi_label_classification'"
        raise InputError(argument, got, "a classifier that gives a text one label")
    labels = read_labels(config, shape[0], folder / CONFIG_FILE, argument)
    encoder = load_folder(folder, argument, **kwargs)
    classifier = BertClassifier(encoder, labels, dropout=kwargs.get("dropout", config.get("classifier_dropout")))
    if kwargs.get("load_weights", True):
        weights.assign([("classifier", classifier.classifier, DENSE)])
    return classifier


def load_masked_lm_folder(
    folder: str | Path, argument: str = "preset", head_required: bool = False, **kwargs
) -> BertMaskedLM:
    """Loads a Hugging Face `BertForMaskedLM` folder; on an encoder without that head, puts a new one.

    Raises:
        InputError: the folder cannot be used, or has no head where one is required.
    """
    encoder = load_folder(folder, argument, **kwargs)
    if encoder.config.relative_position_buckets:
        raise InputError(argument, f"{folder}, an MPNet", "a BERT, as masked language model")
    if encoder.tokenizer.mask_id is None:
        raise InputError(argument, f"a vocabulary in {folder} without [MASK]", "one for masked language models")
    model = BertMaskedLM(encoder)
    weights = Weights(Path(folder), argument)
    if head_required or weights.find("cls.predictions.transform.dense.weight"):
        weights.assign(head_layers(model))
    for variable in encoder.pooler.weights:  # has no part in it, and would be random in most of these folders
        variable.assign(np.zeros(variable.shape))
    return model


def _tokenizer_config(tokenizer: BertTokenizer) -> dict:
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "model_max_length": tokenizer.sequence_length,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }


def save_folder(
    model: BertEncoder | BertClassifier | BertMaskedLM, folder: str | Path, card: str | None = None
) -> None:
    """Writes a model folder, whole or not at all.

    A folder that exists keeps its other files. While its own are exchanged, it is without `config.json`: whoever
    reads it meanwhile finds no model, never half of one.

    Args:
        model: the encoder or classifier; has a tokenizer.
        folder: is made where it does not exist.
        card: text of its README.md; by default a short one, where there is none.

    Raises:
        InputError: `folder` is a file, or the model has no tokenizer.
        OSError: the folder cannot be written.
    """
    folder = Path(folder).expanduser().resolve()
    if model.tokenizer is None:
        raise InputError("tokenizer", "a model without one", "a BertTokenizer as the encoder's tokenizer, to be saved")
    if folder.exists() and not folder.is_dir():
        raise InputError("folder", f"{folder}, which is a file", "a folder, or a name for a new one")
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        content = _content(model)
        write_weights(content.tensors, partial)
        write_json(partial / CONFIG_FILE, content.config)
        write_vocabulary(content.vocabulary, partial / VOCABULARY_FILE)
        write_json(partial / TOKENIZER_CONFIG_FILE, content.tokenizer_config)
        if card is not None or not (folder / CARD_FILE).exists():
            text = model_card(model, folder.name) if card is None else card
            (partial / CARD_FILE).write_text(text, encoding="utf-8")
        _move_into_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _content(model: BertEncoder | BertClassifier | BertMaskedLM) -> FolderContent:
    tokenizer, buckets = model.tokenizer, model.config.relative_position_buckets
    content = FolderContent(tensors_of(model), hf_config(model), tokenizer.vocabulary, _tokenizer_config(tokenizer))
    return content.as_mpnet(buckets) if buckets else content


def _move_into_place(partial: Path, folder: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    for name in (CONFIG_FILE, *_OTHER_FORMS):
        (folder / name).unlink(missing_ok=True)
    for file in sorted(partial.iterdir(), key=lambda file: file.name == CONFIG_FILE):
        os.replace(file, folder / file.name)
