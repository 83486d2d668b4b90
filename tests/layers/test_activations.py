"""GELU as one XLA program against the formula in float64, and where it is used."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erf

from tests.tolerance import FLOAT32, assert_close
from tinybert_tf.configs import INPUTS
from tinybert_tf.layers import activations
from tinybert_tf.training import devices

WIDTH = activations.FUSED_WIDTH
SLOPE = (2 / np.pi) ** 0.5


def exact(x):
    normal = np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5
    return x * (1 + erf(x / 2**0.5)) / 2, (1 + erf(x / 2**0.5)) / 2 + x * normal


def by_tanh(x):
    tanh = np.tanh(SLOPE * (x + 0.044715 * x**3))
    return x * (1 + tanh) / 2, (1 + tanh) / 2 + x * (1 - tanh**2) * SLOPE * (1 + 3 * 0.044715 * x**2) / 2


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", FLOAT32), ("bfloat16", 2**-8)])
@pytest.mark.parametrize(("name", "reference"), [("gelu", exact), ("gelu_new", by_tanh)])
def test_a_fused_gelu_and_its_gradient_are_the_formula(name, reference, dtype, tolerance):
    x = tf.cast(np.random.default_rng(0).normal(0, 2, (2, 3, WIDTH)), dtype)
    function = activations.get_activation(name)

    @tf.function(input_signature=[tf.TensorSpec([None, None, WIDTH], dtype)])
    def both(x):
        with tf.GradientTape() as tape, activations.fused():
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    assert len(programs(both.get_concrete_function())) == 2
    for ours, expected in zip(both(x), reference(tf.cast(x, "float64").numpy())):
        assert ours.dtype == dtype
        assert_close(tf.cast(ours, "float64"), expected, tolerance)


def programs(graph) -> list[str]:
    """Returns the functions of a graph that XLA compiles."""
    functions = graph.graph.as_graph_def().library.function
    return [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize(("width", "number"), [(WIDTH, 1), (WIDTH - 1, 0)])
def test_only_wide_tensors_become_programs(width, number):
    @tf.function(input_signature=[tf.TensorSpec([None, width])])
    def activate(x):
        with activations.fused():
            return activations.get_activation("gelu")(x)

    assert len(programs(activate.get_concrete_function())) == number


def test_the_layers_of_a_model_share_their_programs(make_encoder):
    encoder = make_encoder(num_layers=3, intermediate_dim=WIDTH)

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape, activations.fused():
            loss = tf.reduce_sum(encoder(inputs)["sequence_output"] ** 2)
        return tape.gradient(loss, encoder.trainable_variables)

    inputs = {name: np.ones((2, 5), "int32") for name in INPUTS}
    assert len(programs(step.get_concrete_function(inputs))) == 2


@pytest.mark.parametrize("jit_compile", [False, True])
def test_steps_fuse_gelu_unless_xla_compiles_the_whole_step(jit_compile):
    seen = []
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)])
    model.layers[0].function = lambda x: seen.append(activations._is_fused.get()) or x
    model.compile("sgd", "mse", jit_compile=jit_compile)
    batch = np.ones((2, 4), "float32"), np.ones((2, 2), "float32")
    devices.train_step(model, batch)(batch)
    fuses = not jit_compile and not tf.config.list_logical_devices("GPU")
    assert set(seen) == {fuses} and not activations._is_fused.get()
