"""TensorFlow 1: Google's own checkpoints (github.com/google-research/bert), `bert_model.ckpt.*` or `variables/`.

Their names become Hugging Face's: `bert/encoder/layer_0/output/dense/kernel` is
`bert.encoder.layer.0.output.dense.weight`, transposed. An optimizer's slots, `global_step` and the head for the next
sentence are left out.
"""

import functools
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from tinybert_tf.errors import InputError
from tinybert_tf.presets.formats.stored import StoredTensor

HUB_FILES = ("*.ckpt*.index", "*.ckpt*.data-*")

_KINDS = {tf.float64: "F64", tf.float32: "F32", tf.float16: "F16", tf.bfloat16: "BF16"}
_PARAMETERS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
_OUTPUTS = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "output_weights": "classifier.weight",  # of a fine-tuned classifier; stored [classes, width] as at Hugging Face
    "output_bias": "classifier.bias",
}


def find(folder: Path) -> dict[str, StoredTensor]:
    """Returns the tensors in a folder's checkpoint by Hugging Face's names; none if it has no checkpoint.

    Raises:
        InputError: There are several checkpoints, or it is damaged, or not a BERT's of TensorFlow 1.
    """
    indices = sorted(folder.glob("*.ckpt*.index")) or sorted(folder.glob("variables/variables.index"))
    if not indices:
        return {}
    if len(indices) > 1:
        names = ", ".join(index.stem for index in indices)
        raise InputError("preset", f"{folder} with {len(indices)} checkpoints ({names})", "a folder with one of them")
    path = indices[0].with_suffix("")
    try:
        reader = tf.train.load_checkpoint(str(path))
        shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise _damaged(path, error) from None
    tensors = {}
    for theirs, shape in shapes.items():
        name = _renamed(theirs.removeprefix("module/"))
        if name is not None:
            turned = theirs.endswith("/kernel")
            shape = tuple(shape[::-1] if turned else shape)
            tensors[name] = StoredTensor(
                path, shape, _KINDS.get(kinds[theirs], "?"), functools.partial(_values, path, reader, theirs, turned)
            )
    if not any(name.startswith("bert.") for name in tensors):
        raise InputError("preset", f"{path} without any bert/…", "a BERT's checkpoint of TensorFlow 1")
    return tensors


def _values(path: Path, reader, name: str, turned: bool) -> np.ndarray:
    try:
        values = reader.get_tensor(name)
    except (tf.errors.OpError, RuntimeError, IndexError) as error:
        raise _damaged(path, error) from None
    return values.T if turned else values


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    return InputError("preset", f"{path}, which cannot be read ({reason})", "a TF1 checkpoint with all its files")


def _renamed(name: str) -> str | None:
    """Returns Hugging Face's name of a variable; None for a variable that is no weight of a model here."""
    if name in _OUTPUTS:
        return _OUTPUTS[name]
    *parts, parameter = name.split("/")
    if not parts or (parts[0] != "bert" and parts[:2] != ["cls", "predictions"]):
        return None
    if parameter.endswith("_embeddings"):
        parts, parameter = [*parts, parameter], "weight"
    elif parameter not in _PARAMETERS:
        return None
    prefix = ".".join(re.sub(r"^layer_(\d+)$", r"layer.\1", part) for part in parts)
    return f"{prefix}.{_PARAMETERS.get(parameter, parameter)}"
