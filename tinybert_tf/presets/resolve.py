"""From the name of a model to its parts.

A name may be a run directory, a local Hugging Face or keras-hub folder, a keras-hub preset
(`bert_base_en_uncased`, `kaggle://…`), `hf://user/model`, or a packaged asset (`minilm_l6`).
"""

import difflib
import os
from pathlib import Path

from tinybert_tf import assets
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of, read_json
from tinybert_tf.presets.content import CONFIG_FILE, GOOGLE_CONFIG_FILE, config_file
from tinybert_tf.presets.folder import FolderPretrained
from tinybert_tf.presets.keras_hub import KerasHubPretrained, preset_names
from tinybert_tf.presets.pretrained import Pretrained
from tinybert_tf.presets.tensors import FORMATS

# The only files that are fetched from a hub, besides weights in the first of the formats that a repository has.
HUB_FILES = (
    CONFIG_FILE,
    GOOGLE_CONFIG_FILE,
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


def open_preset(preset: str | os.PathLike, load_weights: bool = True) -> Pretrained:
    """Opens the model that a name stands for, and fetches it if necessary; it is resolved, verified and opened once.

    Args:
        preset: Name of the model.
        load_weights: Whether weights are needed; if not, some need not be fetched.

    Raises:
        InputError: The name is unknown, or the model cannot be fetched or read.
    """
    preset = os.fspath(preset)
    if preset in assets.MODELS:
        folder = assets.fetch(preset)
    elif "://" in preset:
        folder = _download(preset) if preset.startswith("hf://") else None
    else:
        folder = _local_folder(preset)
    if folder is None or _is_keras_hub(folder):
        return KerasHubPretrained(preset if "://" in preset else os.path.expanduser(preset), load_weights)
    return FolderPretrained(folder)


def _is_keras_hub(folder: Path) -> bool:
    file = config_file(folder)
    return file is not None and "registered_name" in read_json(file)


def _local_folder(preset: str) -> Path | None:
    """Returns the folder of this name that has a configuration; None if keras-hub knows the name."""
    folder = path_of(preset)
    for place in (folder / "model", folder):
        if config_file(place):
            return place
    if (folder / "run.json").is_file():
        raise InputError("preset", f"{folder}, a run without a model yet", "a run that has written its model/")
    if folder.is_dir():
        raise InputError("preset", f"{folder}, a folder without config.json", "a model folder or a run directory")
    if folder.exists():
        raise InputError("preset", f"{folder}, a file", "a model folder or a run directory")
    names = preset_names()
    if preset in names:
        return None
    alike = difflib.get_close_matches(preset, [*assets.MODELS, *names]) or [*assets.MODELS, "bert_base_en_uncased"]
    expected = f"a model folder, a run directory, hf://USER/MODEL, or a name such as {', '.join(alike)}"
    raise InputError("preset", f"{preset!r}, neither a folder nor a known name", expected)


def _download(preset: str) -> Path:
    from huggingface_hub import snapshot_download

    name = preset.removeprefix("hf://")
    try:
        for form in FORMATS:
            folder = Path(snapshot_download(name, allow_patterns=(*HUB_FILES, *form.HUB_FILES)))
            if any(any(folder.glob(pattern)) for pattern in form.HUB_FILES) or _is_keras_hub(folder):
                break
    except InputError:
        raise
    except Exception as error:  # the hub, the HTTP client and the file system each raise their own
        reason = " ".join(str(error).split())[:300]
        raise InputError("preset", f"{preset} ({reason})", "a repository that can be reached") from None
    return folder
