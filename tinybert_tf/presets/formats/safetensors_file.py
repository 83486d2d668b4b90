"""safetensors: `model.safetensors`, or shards of it."""

from pathlib import Path

import safetensors

from tinybert_tf.errors import InputError
from tinybert_tf.presets.formats.stored import StoredTensor, files_of

WEIGHTS_FILE, SHARD_INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
HUB_FILES = (WEIGHTS_FILE, SHARD_INDEX_FILE, "model-*-of-*.safetensors")


def find(folder: Path) -> dict[str, StoredTensor]:
    """Returns the tensors in a folder's safetensors files by name; none if it has no such file.

    Raises:
        InputError: A file is missing or damaged.
    """
    tensors = {}
    for path in files_of(folder, WEIGHTS_FILE, SHARD_INDEX_FILE):
        tensors |= _open(path)
    return tensors


def _open(path: Path) -> dict[str, StoredTensor]:
    try:
        file = safetensors.safe_open(path, framework="numpy")
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError("preset", f"{path}, which cannot be read ({error})", "a safetensors file") from None
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  it is no dict
    return {
        name: StoredTensor(path, tuple(part.get_shape()), part.get_dtype(), lambda name=name: file.get_tensor(name))
        for name, part in slices.items()
    }
