"""Activations and initializers under the names that Hugging Face configurations give them."""

import keras
from keras import ops

from tinybert_tf.errors import InputError


def _gelu_exact(x):
    return 0.5 * x * (1.0 + ops.erf(x * 0.5**0.5))  # Keras's own becomes TensorFlow's Erfc, which ONNX lacks


def _gelu_tanh(x):
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {
    "gelu": _gelu_exact,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": keras.activations.relu,
    "silu": keras.activations.silu,
    "swish": keras.activations.silu,
    "tanh": keras.activations.tanh,
}


def get_activation(name: str):
    """Returns the function of a Hugging Face `hidden_act`: "gelu" is the erf form, "gelu_new" the tanh form.

    Raises:
        InputError: The name is not one of `ACTIVATIONS`.
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError("activation", repr(name), f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def bert_initializer() -> keras.initializers.Initializer:
    """Returns BERT's initializer for matrices: a normal distribution of deviation 0.02, cut at two deviations."""
    return keras.initializers.TruncatedNormal(stddev=0.02)
