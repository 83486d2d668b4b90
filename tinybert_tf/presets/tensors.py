"""The tensors of a model folder, in whatever form it has them; writes safetensors."""

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

from tinybert_tf.errors import InputError
from tinybert_tf.presets.formats import pytorch, safetensors_file, tf1
from tinybert_tf.presets.formats.safetensors_file import WEIGHTS_FILE

# By preference: the first that a folder has is read.
FORMATS = (safetensors_file, pytorch, tf1)
FLOAT_TYPES = ("F64", "F32", "F16", "BF16")


class Tensors:
    """The tensors of a model folder by their stored names; files are opened, not read.

    Args:
        folder: Folder with weights in one of `FORMATS`.

    Raises:
        InputError: There are no such files, or they cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._tensors = next(filter(None, (form.find(folder) for form in FORMATS)), None)
        if self._tensors is None:
            expected = "model.safetensors, pytorch_model.bin, or a TF1 checkpoint (bert_model.ckpt.index)"
            raise InputError("preset", f"{folder} without weights", expected)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The stored names."""
        return tuple(self._tensors)

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
        return self._tensors[stored].shape

    def read(self, stored: str, shape: Iterable[int]) -> np.ndarray:
        """Returns a stored tensor as float32.

        Raises:
            InputError: It has another shape, or does not hold floats.
        """
        tensor = self._tensors[stored]
        if tensor.shape != tuple(shape):
            got = f"{tensor.path} with {stored} of shape {tensor.shape}"
            raise InputError("preset", got, f"{tuple(shape)}, as config.json says")
        if tensor.kind not in FLOAT_TYPES:
            got = f"{tensor.path} with {stored} of type {tensor.kind}"
            raise InputError("preset", got, f"one of {', '.join(FLOAT_TYPES)}")
        return tensor.values().astype(np.float32)


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
