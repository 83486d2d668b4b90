"""From the name of a model to a model.

A name may be a run directory, a local Hugging Face or keras-hub folder, a keras-hub preset
(`bert_base_en_uncased`, `kaggle://…`), `hf://user/model`, or a packaged asset (`minilm_l6`).
"""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf import assets
from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM
from tinybert_tf.presets import keras_hub as keras_hub_presets
from tinybert_tf.presets.folder import CLASSIFIERS, load_classifier_folder, load_folder, load_masked_lm_folder

# All that is ever fetched from a hub: data, no pickle and no code.
HUB_FILES = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
)


def resolve_folder(preset: str | os.PathLike, argument: str = "preset") -> Path | None:
    """Returns the local Hugging Face folder behind a name, fetching it if need be; None for a keras-hub preset.

    Args:
        preset: the name.
        argument: what errors call it.

    Raises:
        InputError: the name is unknown, or what it names cannot be had.
    """
    preset = os.fspath(preset)
    if preset in assets.MODELS:
        return assets.fetch(preset)
    if "://" in preset:
        folder = _download(preset, argument) if preset.startswith("hf://") else None
    else:
        folder = _local_folder(preset, argument)
    if folder is None or "registered_name" in read_json(folder / "config.json", argument):
        return None
    return folder


def _local_folder(preset: str, argument: str) -> Path | None:
    """The folder of that name, with its config.json; None where keras-hub knows the name."""
    folder = Path(preset).expanduser()
    for place in (folder / "model", folder):
        if (place / "config.json").is_file():
            return place
    if (folder / "run.json").is_file():
        raise InputError(argument, f"{folder}, a run without a model yet", "a run that has written its model/")
    if folder.is_dir():
        raise InputError(argument, f"{folder}, a folder without config.json", "a model folder or a run directory")
    if folder.exists():
        raise InputError(argument, f"{folder}, a file", "a model folder or a run directory")
    names = keras_hub_presets.preset_names()
    if preset in names:
        return None
    alike = difflib.get_close_matches(preset, [*assets.MODELS, *names]) or [*assets.MODELS, "bert_base_en_uncased"]
    expected = f"a model folder, a run directory, hf://USER/MODEL, or a name such as {', '.join(alike)}"
    raise InputError(argument, f"{preset!r}, neither a folder nor a known name", expected)


def _download(preset: str, argument: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(preset.removeprefix("hf://"), allow_patterns=HUB_FILES))
    except Exception as error:  # the hub's, the HTTP client's and the file system's
        reason = " ".join(str(error).split())[:300]
        raise InputError(argument, f"{preset} ({reason})", "a repository that can be reached") from None
    return folder


def load_encoder(preset: str | os.PathLike, argument: str = "preset", **kwargs) -> BertEncoder:
    """Loads an encoder and its tokenizer from any kind of name.

    Args:
        preset: the name.
        argument: what errors call it.
        **kwargs: arguments of `BertEncoder`, and `load_weights`.

    Raises:
        InputError: the name is unknown, or what it names cannot be read.
    """
    folder = resolve_folder(preset, argument)
    if folder is not None:
        return load_folder(folder, argument, **kwargs)
    return keras_hub_presets.load_encoder(_keras_hub_name(preset), argument, **kwargs)


def load_classifier(
    preset: str | os.PathLike, labels: Sequence[str] | None = None, argument: str = "preset", **kwargs
) -> BertClassifier:
    """Loads a classifier; with `labels`, an encoder under a new head. Arguments and errors as `load_encoder`."""
    if labels is not None:
        return BertClassifier(load_encoder(preset, argument, **kwargs), labels)
    folder = resolve_folder(preset, argument)
    if folder is not None:
        return load_classifier_folder(folder, argument, **kwargs)
    return keras_hub_presets.load_classifier(_keras_hub_name(preset), argument, **kwargs)


def loads_as_classifier(preset: str | os.PathLike, argument: str = "preset") -> bool:
    """Whether a name stands for a whole `BertForSequenceClassification`, with its head."""
    folder = resolve_folder(preset, argument)
    architectures = read_json(folder / "config.json", argument).get("architectures") if folder else None
    return len(architectures or ()) == 1 and architectures[0] in CLASSIFIERS


def is_bert(preset: str | os.PathLike, argument: str = "preset") -> bool:
    """Whether a name stands for a plain BERT; an MPNet has no masked-LM head here."""
    folder = resolve_folder(preset, argument)
    return folder is None or read_json(folder / "config.json", argument).get("model_type", "bert") == "bert"


def load_masked_lm(
    preset: str | os.PathLike, argument: str = "preset", head_required: bool = False, **kwargs
) -> BertMaskedLM:
    """Loads a masked LM, or puts a new head on an encoder unless `head_required`. Else as `load_encoder`."""
    folder = resolve_folder(preset, argument)
    if folder is not None:
        return load_masked_lm_folder(folder, argument, head_required, **kwargs)
    if head_required:
        raise InputError(argument, f"{preset}, a keras-hub preset, which has no masked-LM head", "a BertForMaskedLM")
    return BertMaskedLM(keras_hub_presets.load_encoder(_keras_hub_name(preset), argument, **kwargs))


def _keras_hub_name(preset: str | os.PathLike) -> str:
    return os.fspath(preset) if "://" in os.fspath(preset) else os.path.expanduser(preset)
