"""Model folders in and out: the standard Hugging Face BERT folder, without pickle and without code.

A folder holds `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.tokenizer import BertTokenizer

# Hugging Face's names of the two parameters of every kind of layer, ours beside them, and whether the
# matrix is stored transposed ([out, in] in PyTorch).
_DENSE = (("weight", "kernel", True), ("bias", "bias", False))
_NORM = (("weight", "gamma", False), ("bias", "beta", False))
_TABLE = (("weight", "embeddings", False),)


def _encoder_layers(encoder: BertEncoder):
    """Yields (Hugging Face prefix, our layer, its parameters) for every layer that holds weights."""
    tables = encoder.embeddings
    yield "embeddings.word_embeddings", tables.token_embedding, _TABLE
    yield "embeddings.position_embeddings", tables.position_embedding, _TABLE
    yield "embeddings.token_type_embeddings", tables.segment_embedding, _TABLE
    yield "embeddings.LayerNorm", tables.layer_norm, _NORM
    for i, block in enumerate(encoder.blocks):
        prefix, attention = f"encoder.layer.{i}", block.attention
        yield f"{prefix}.attention.self.query", attention.query_dense, _DENSE
        yield f"{prefix}.attention.self.key", attention.key_dense, _DENSE
        yield f"{prefix}.attention.self.value", attention.value_dense, _DENSE
        yield f"{prefix}.attention.output.dense", attention.output_dense, _DENSE
        yield f"{prefix}.attention.output.LayerNorm", block.attention_norm, _NORM
        yield f"{prefix}.intermediate.dense", block.intermediate_dense, _DENSE
        yield f"{prefix}.output.dense", block.output_dense, _DENSE
        yield f"{prefix}.output.LayerNorm", block.output_norm, _NORM
    yield "pooler.dense", encoder.pooler, _DENSE


def _layers(model: BertEncoder | BertClassifier):
    """As `_encoder_layers`, for either kind of model."""
    if isinstance(model, BertEncoder):
        yield from _encoder_layers(model)
        return
    for prefix, layer, parameters in _encoder_layers(model.encoder):
        yield f"bert.{prefix}", layer, parameters
    yield "classifier", model.classifier, _DENSE


def read_json(path: Path, argument: str) -> dict:
    """Reads a JSON object. Raises InputError if the file is missing or is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(argument, f"no file {path}", "a model folder with config.json") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(argument, f"{path}, which is no JSON ({error})", "a model folder's JSON file") from None
    if not isinstance(content, dict):
        raise InputError(argument, f"{path} with a {type(content).__name__}", "a JSON object")
    return content


def read_config(folder: Path, argument: str = "preset") -> dict:
    """Reads and checks a Hugging Face BERT `config.json`."""
    config = read_json(folder / "config.json", argument)
    if config.get("model_type", "bert") != "bert":
        raise InputError(argument, f"{folder} with model_type {config['model_type']!r}", "model_type 'bert'")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(argument, f"{folder} with {config['position_embedding_type']} positions", "absolute ones")
    return config


def encoder_config(config: dict, argument: str = "preset") -> EncoderConfig:
    """Translates a Hugging Face `config.json`."""
    try:
        return EncoderConfig(
            num_layers=config["num_hidden_layers"],
            hidden_dim=config["hidden_size"],
            num_heads=config["num_attention_heads"],
            intermediate_dim=config["intermediate_size"],
            vocabulary_size=config["vocab_size"],
            max_sequence_length=config.get("max_position_embeddings", 512),
            num_segments=config.get("type_vocab_size", 2),
            activation=config.get("hidden_act", "gelu"),
            layer_norm_epsilon=config.get("layer_norm_eps", 1e-12),
            dropout=config.get("hidden_dropout_prob", 0.1),
        )
    except KeyError as error:
        raise InputError(argument, f"a config.json without {error}", "a Hugging Face BERT configuration") from None


class Weights:
    """The tensors of a `model.safetensors` by Hugging Face name, whatever prefix and LayerNorm naming it uses."""

    def __init__(self, folder: Path, argument: str = "preset"):
        self.path, self.argument = folder / "model.safetensors", argument
        if not self.path.is_file():
            raise InputError(argument, f"no file {self.path}", "weights in the safetensors format")
        try:
            self._file = safetensors.safe_open(self.path, framework="numpy")
            self._names = set(self._file.keys())
        except safetensors.SafetensorError as error:
            raise InputError(argument, f"{self.path}, which cannot be read ({error})", "a safetensors file") from None

    def find(self, name: str) -> str | None:
        """Returns the stored name of a tensor, or None."""
        plain = name.removeprefix("bert.")
        candidates = [name, plain, f"bert.{plain}"]
        for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
            candidates += [c.replace(new, old) for c in candidates if c.endswith(new)]
        return next((c for c in candidates if c in self._names), None)

    def read(self, name: str, shape) -> np.ndarray:
        """Returns a tensor as float32. Raises InputError if it is missing or has another shape."""
        stored = self.find(name)
        if stored is None:
            raise InputError(self.argument, f"{self.path} without {name}", "every weight of the configured model")
        tensor = self._file.get_tensor(stored)
        if tensor.shape != tuple(shape):
            raise InputError(
                self.argument, f"{self.path} with {stored} of shape {tensor.shape}", f"{tuple(shape)} as configured"
            )
        return tensor.astype(np.float32)


def _assign(layers, weights: Weights, optional=()) -> None:
    for prefix, layer, parameters in layers:
        for theirs, ours, transposed in parameters:
            name, variable = f"{prefix}.{theirs}", getattr(layer, ours)
            if prefix.removeprefix("bert.") in optional and weights.find(name) is None:
                continue
            shape = variable.shape[::-1] if transposed else variable.shape
            tensor = weights.read(name, shape)
            variable.assign(tensor.T if transposed else tensor)


def read_tokenizer(folder: Path, argument: str = "preset", **kwargs) -> BertTokenizer:
    """Reads `vocab.txt` and the casing from `tokenizer_config.json` (uncased where it says nothing)."""
    if not (folder / "vocab.txt").is_file():
        raise InputError(argument, f"{folder} without vocab.txt", "a WordPiece vocabulary")
    settings = {}
    if (folder / "tokenizer_config.json").is_file():
        settings = read_json(folder / "tokenizer_config.json", argument)
    return BertTokenizer.from_file(folder / "vocab.txt", lowercase=settings.get("do_lower_case", True), **kwargs)


def load_folder(folder: str | Path, argument: str = "preset", **kwargs) -> BertEncoder:
    """Loads the encoder of any Hugging Face BERT folder, with its tokenizer. A missing pooler stays random."""
    folder = Path(folder)
    config = encoder_config(read_config(folder, argument), argument)
    weights = Weights(folder, argument)
    encoder = BertEncoder.from_shape(config, **kwargs)
    _assign(_encoder_layers(encoder), weights, optional=("pooler.dense",))
    encoder.tokenizer = read_tokenizer(folder, argument, sequence_length=config.max_sequence_length)
    return encoder


def load_classifier_folder(folder: str | Path, argument: str = "preset", **kwargs) -> BertClassifier:
    """Loads a Hugging Face `BertForSequenceClassification` folder with its labels."""
    folder = Path(folder)
    config = read_config(folder, argument)
    labels = [label for _, label in sorted(config["id2label"].items(), key=lambda item: int(item[0]))]
    classifier = BertClassifier(load_folder(folder, argument, **kwargs), labels)
    _assign([("classifier", classifier.classifier, _DENSE)], Weights(folder, argument))
    return classifier


def _hf_config(model: BertEncoder | BertClassifier) -> dict:
    config = model.config
    content = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden_dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.intermediate_dim,
        "hidden_act": config.activation,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "max_position_embeddings": config.max_sequence_length,
        "type_vocab_size": config.num_segments,
        "layer_norm_eps": config.layer_norm_epsilon,
        "initializer_range": 0.02,
        "pad_token_id": model.tokenizer.pad_id if model.tokenizer else 0,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
    }
    if isinstance(model, BertClassifier):
        content["architectures"] = ["BertForSequenceClassification"]
        content["id2label"] = {str(i): label for i, label in enumerate(model.labels)}
        content["label2id"] = {label: i for i, label in enumerate(model.labels)}
        content["problem_type"] = "regression" if len(model.labels) == 1 else "single_label_classification"
    return content


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


def write_json(path: Path, content: dict) -> None:
    """Writes a JSON object, indented, with a newline at its end."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save_folder(model: BertEncoder | BertClassifier, folder: str | Path, card: str | None = None) -> None:
    """Writes a model folder, whole or not at all. `card` is the text of its README.md."""
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        tensors = {}
        for prefix, layer, parameters in _layers(model):
            for theirs, ours, transposed in parameters:
                value = np.asarray(getattr(layer, ours), dtype=np.float32)
                tensors[f"{prefix}.{theirs}"] = np.ascontiguousarray(value.T if transposed else value)
        save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
        write_json(partial / "config.json", _hf_config(model))
        if model.tokenizer is not None:
            model.tokenizer.save(partial / "vocab.txt")
            write_json(partial / "tokenizer_config.json", _tokenizer_config(model.tokenizer))
        if card is not None:
            (partial / "README.md").write_text(card, encoding="utf-8")
        if not folder.exists():
            partial.rename(folder)
        else:
            for file in partial.iterdir():
                os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
