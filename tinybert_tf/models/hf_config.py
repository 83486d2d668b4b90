"""Hugging Face's `config.json` of a BERT, read into our configuration and written from a model."""

from pathlib import Path

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.json_files import read_json

CONFIG_FILE = "config.json"

# What makes a folder another model than a plain BERT encoder, though its weights bear the same names.
_PLAIN = {"model_type": "bert", "position_embedding_type": "absolute", "is_decoder": False}

# Our names of the sizes, beside Hugging Face's and its default where it has one.
_SIZES = {
    "num_layers": ("num_hidden_layers", None),
    "hidden_dim": ("hidden_size", None),
    "num_heads": ("num_attention_heads", None),
    "intermediate_dim": ("intermediate_size", None),
    "vocabulary_size": ("vocab_size", None),
    "max_sequence_length": ("max_position_embeddings", 512),
    "num_segments": ("type_vocab_size", 2),
}


def read_config(folder: Path, argument: str = "preset") -> dict:
    """Reads a Hugging Face BERT `config.json`.

    Raises:
        InputError: there is none, or it describes another kind of model.
    """
    config = read_json(folder / CONFIG_FILE, argument)
    for name, expected in _PLAIN.items():
        if config.get(name, expected) != expected:
            raise InputError(argument, f"{folder / CONFIG_FILE} with {name} {config[name]!r}", repr(expected))
    return config


def encoder_config(config: dict, argument: str = "preset", source: str | Path = CONFIG_FILE) -> EncoderConfig:
    """Translates a Hugging Face `config.json`; `source` is what errors call it."""
    sizes = {}
    for ours, (theirs, default) in _SIZES.items():
        sizes[ours] = config.get(theirs, default)
        if type(sizes[ours]) is not int or sizes[ours] < 1:
            got = f"{theirs} {sizes[ours]!r}" if theirs in config else f"no {theirs}"
            raise InputError(argument, f"{source} with {got}", "a whole number above 0")
    if sizes["hidden_dim"] % sizes["num_heads"]:
        got = f"{source} with hidden_size {sizes['hidden_dim']}"
        raise InputError(argument, got, f"a multiple of num_attention_heads {sizes['num_heads']}")
    rates = {
        "layer_norm_epsilon": config.get("layer_norm_eps", 1e-12),
        "dropout": config.get("hidden_dropout_prob", 0.1),
    }
    for name, rate in rates.items():
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise InputError(argument, f"{source} with {name} {rate!r}", "a number from 0 to below 1")
    return EncoderConfig(activation=config.get("hidden_act", "gelu"), **sizes, **rates)


def read_labels(config: dict, count: int, source: Path, argument: str) -> list[str]:
    """`id2label`; transformers leaves it out where the labels are LABEL_0, LABEL_1 and so on."""
    names = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(count)}
    if not isinstance(names, dict) or set(names) != {str(i) for i in range(count)}:
        raise InputError(argument, f"{source} with id2label {names}", f"{count} labels, as classifier.weight has rows")
    return [str(names[str(i)]) for i in range(count)]


def hf_config(model: BertEncoder | BertClassifier) -> dict:
    config = model.config
    content = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **{theirs: getattr(config, ours) for ours, (theirs, _) in _SIZES.items()},
        "hidden_act": config.activation,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "layer_norm_eps": config.layer_norm_epsilon,
        "initializer_range": 0.02,
        "pad_token_id": model.tokenizer.pad_id,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
    }
    if isinstance(model, BertClassifier):
        content["architectures"] = ["BertForSequenceClassification"]
        content["classifier_dropout"] = model.dropout
        content["id2label"] = {str(i): label for i, label in enumerate(model.labels)}
        content["label2id"] = {label: i for i, label in enumerate(model.labels)}
        content["problem_type"] = "regression" if len(model.labels) == 1 else "single_label_classification"
    return content
