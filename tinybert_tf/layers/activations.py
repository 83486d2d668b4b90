"""Activations and initializers under the names that Hugging Face configurations give them."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.errors import InputError

FUSED_WIDTH = 512  # narrower tensors are not worth a program, which takes a tenth of a second to compile per shape
_is_fused = contextvars.ContextVar("is_fused", default=False)


@contextlib.contextmanager
def fused() -> Iterator[None]:
    """Within this context TensorFlow traces each wide GELU as one XLA program, and its gradient as another. For CPUs.

    Otherwise TensorFlow passes several times over the widest tensors of a model, forward and backward
    (docs/results/training_speed.md). Programs compute 16-bit numbers in float32.
    """
    token = _is_fused.set(True)
    try:
        yield
    finally:
        _is_fused.reset(token)


def _fusible(function: Callable) -> Callable:
    """Returns a function with the same values; within `fused` it runs as one XLA program."""

    def in_float32(x):
        return tf.cast(function(tf.cast(x, "float32")), x.dtype)

    def gradient(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = in_float32(x)
        return tape.gradient(y, x, upstream)

    # One of each, so that all layers of a width share their programs.
    forward, backward = (tf.function(f, jit_compile=True, autograph=False) for f in (in_float32, gradient))

    @tf.custom_gradient
    def as_program(x):
        return forward(x), lambda upstream: backward(x, upstream)

    @functools.wraps(function)
    def activation(x):
        is_program = _is_fused.get() and x.shape[-1] >= FUSED_WIDTH and x.dtype != tf.float64
        return as_program(x) if is_program else function(x)

    return activation


@_fusible
def _gelu_exact(x):
    return 0.5 * x * (1.0 + ops.erf(x * 0.5**0.5))  # Keras's own becomes TensorFlow's Erfc, which ONNX lacks


@_fusible
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
