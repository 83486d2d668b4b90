"""Reads and writes safetensors files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json

WEIGHTS_FILE = "model.safetensors"
SHARD_INDEX_FILE = "model.safetensors.index.json"
FLOAT_TYPES = ("F64", "F32", "F16", "BF16")


class Tensors:
    """The tensors of a model folder by their stored names; files are opened, not read.

    Args:
        folder: Folder with `model.safetensors`, or with `model.safetensors.index.json` and the files that it names.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        names = [WEIGHTS_FILE]
        if not (folder / WEIGHTS_FILE).is_file() and (folder / SHARD_INDEX_FILE).is_file():
            shards = read_json(folder / SHARD_INDEX_FILE).get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise InputError("preset", f"{folder / SHARD_INDEX_FILE} without weight_map", "an index of shards")
            names = sorted({Path(str(name)).name for name in shards.values()})
        self._tensors = {}
        for name in names:
            file = _open(folder / name)
            self._tensors |= dict.fromkeys(file.keys(), (folder / name, file))

    def find(self, names: Iterable[str]) -> str | None:
        """Returns the first of these names that is stored, maybe in its older spelling (LayerNorm.gamma), or None."""
        for name in names:
            older = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            for spelling in (name, older):
                if spelling in self._tensors:
                    return spelling
        return None

    def shape(self, stored: str) -> tuple[int, ...]:
        """Returns the shape of a stored tensor."""
        return tuple(self._tensors[stored][1].get_slice(stored).get_shape())

    def read(self, stored: str, shape: Iterable[int]) -> np.ndarray:
        """Returns a stored tensor as float32.

        Raises:
            InputError: It has another shape, or does not hold floats.
        """
        path, file = self._tensors[stored]
        if self.shape(stored) != tuple(shape):
            got = f"{path} with {stored} of shape {self.shape(stored)}"
            raise InputError("preset", got, f"{tuple(shape)}, as config.json says")
        kind = file.get_slice(stored).get_dtype()
        if kind not in FLOAT_TYPES:
            raise InputError("preset", f"{path} with {stored} of type {kind}", f"one of {', '.join(FLOAT_TYPES)}")
        return file.get_tensor(stored).astype(np.float32)


def _open(path: Path):
    if not path.is_file():
        raise InputError("preset", f"no file {path}", "weights as safetensors: pickled ones are not read")
    try:
        return safetensors.safe_open(path, framework="numpy")
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError("preset", f"{path}, which cannot be read ({error})", "a safetensors file") from None


def write_tensors(tensors: dict[str, np.ndarray], folder: Path) -> None:
    """Writes `model.safetensors`.

    Raises:
        OSError: The file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    try:
        save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    except safetensors.SafetensorError as error:  # its own kind for a full disk, too
        raise OSError(f"cannot write {folder / WEIGHTS_FILE}: {error}") from error
