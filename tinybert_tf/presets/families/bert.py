"""Hugging Face's `config.json` of a BERT, read into our configuration and written from a model."""

from pathlib import Path

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM
from tinybert_tf.presets.families.mpnet import FIRST_POSITION

CONFIG_FILE = "config.json"

# What makes a folder another model than a plain BERT encoder, though its weights bear the same names.
_PLAIN = {"position_embedding_type": "absolute", "is_decoder": False}
MODEL_TYPES = ("bert", "mpnet")

# Our names beside Hugging Face's, and a default for what may be missing.
_SIZES = {
    "num_layers": ("num_hidden_layers", None),
    "hidden_dim": ("hidden_size", None),
    "num_heads": ("num_attention_heads", None),
    "intermediate_dim": ("intermediate_size", None),
    "vocabulary_size": ("vocab_size", None),
    "max_sequence_length": ("max_position_embeddings", 512),
    "num_segments": ("type_vocab_size", 2),
}
_RATES = {"layer_norm_epsilon": ("layer_norm_eps", 1e-12), "dropout": ("hidden_dropout_prob", 0.1)}


def read_config(folder: Path, argument: str = "preset") -> dict:
    """Reads a Hugging Face BERT `config.json`.

    Raises:
        InputError: there is none, or it describes another kind of model.
    """
    config = read_json(folder / CONFIG_FILE, argument)
    kind = config.get("model_type", "bert")
    if kind not in MODEL_TYPES:
        raise InputError(argument, f"{folder / CONFIG_FILE} with model_type {kind!r}", "'bert' or 'mpnet'")
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
    rates = {}
    for ours, (theirs, default) in _RATES.items():
        rates[ours] = config.get(theirs, default)
        if not isinstance(rates[ours], int | float) or not 0 <= rates[ours] < 1:
            raise InputError(argument, f"{source} with {theirs} {rates[ours]!r}", "a number from 0 to below 1")
    if config.get("model_type") == "mpnet":
        sizes["num_segments"] = 0
        sizes["max_sequence_length"] -= FIRST_POSITION
        sizes["relative_position_buckets"] = config.get("relative_attention_num_buckets", 32)
    return EncoderConfig(activation=config.get("hidden_act", "gelu"), **sizes, **rates)


def read_labels(config: dict, count: int, source: Path, argument: str) -> list[str]:
    """Returns `id2label` as a list; transformers leaves it out where the labels are LABEL_0, LABEL_1 and so on."""
    names = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(count)}
    numbers = [str(i) for i in range(count)]
    if not isinstance(names, dict) or set(names) != set(numbers) or len({str(n) for n in names.values()}) < count:
        expected = f"{count} labels from 0, each once: classifier.weight has as many rows"
        raise InputError(argument, f"{source} with id2label {names}", expected)
    return [str(names[number]) for number in numbers]


def hf_config(model: BertEncoder | BertClassifier | BertMaskedLM) -> dict:
    """Returns the content of the `config.json` that describes a model."""
    config = model.config
    content = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **{theirs: getattr(config, ours) for ours, (theirs, _) in _SIZES.items()},
        **{theirs: getattr(config, ours) for ours, (theirs, _) in _RATES.items()},
        "hidden_act": config.activation,
        "attention_probs_dropout_prob": config.dropout,
        "initializer_range": 0.02,
        "pad_token_id": model.tokenizer.pad_id,
        "position_embedding_type": "absolute",
        "torch_dtype": "float32",
    }
    if isinstance(model, BertMaskedLM):
        content["architectures"] = ["BertForMaskedLM"]
        content["tie_word_embeddings"] = True
    if isinstance(model, BertClassifier):
        content["architectures"] = ["BertForSequenceClassification"]
        content["classifier_dropout"] = model.dropout
        content["id2label"] = {str(i): label for i, label in enumerate(model.labels)}
        content["label2id"] = {label: i for i, label in enumerate(model.labels)}
        content["problem_type"] = "regression" if len(model.labels) == 1 else "single_label_classification"
    return content
