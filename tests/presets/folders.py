"""Model folders for tests, and ways to change them."""

import json

import keras
import numpy as np
from safetensors.numpy import load_file, save_file

from tests.tolerance import FLOAT32, relative_error

FILES = {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"}


def change_json(path, **changes):
    """Sets keys of a JSON object; `...` takes one away."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def change_weights(folder, change):
    """Rewrites the weights through a function from the old dict to the new one."""
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors")


def renamed(*replacements):
    """A change of weights: parts of their names."""

    def change(tensors):
        for old, new in replacements:
            tensors = {name.replace(old, new): value for name, value in tensors.items()}
        return tensors

    return change


def same(model, other, batch):
    """Whether two models answer alike, bit for bit."""
    ours, theirs = model(batch), other(batch)
    return all(np.array_equal(a, b) for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True))


def equal_outputs(encoder, backbone, batch):
    """Whether our encoder and a keras-hub backbone answer alike."""
    ours, theirs = encoder(batch), backbone(batch)
    return all(relative_error(ours[name], theirs[name]) <= FLOAT32 for name in ("sequence_output", "pooled_output"))
