"""Weights on the grid of the file, while a model learns."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinybert_tf.errors import InputError
from tinybert_tf.tflite.convert import convert
from tinybert_tf.training.compression import CompressingOptimizer, sparsity_of

LABELS = np.array([0, 1, 1])


def learn(model, inputs, labels, quantized="none", sparsity=0.0, steps=12):
    optimizer = CompressingOptimizer(keras.optimizers.Adam(0.02), model, quantized, sparsity, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, jit_compile=False)
    return take_steps(model, inputs, labels, steps), optimizer


def take_steps(model, inputs, labels, steps):
    """Returns each step's loss; `fit` would take longer around a step than in it."""
    model.optimizer.build(model.trainable_variables)
    losses = []
    for _ in range(steps):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(inputs, labels)))
    return losses


@pytest.fixture
def make_small():
    """A function that makes a small network, always the same, and its training data."""

    def make():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(40, "tanh", name="first"), keras.layers.Dense(2, name="last")])
        model.build((None, 20))
        rng = np.random.default_rng(0)
        return model, rng.normal(size=(16, 20)).astype("float32"), rng.integers(0, 2, 16)

    return make


def test_without_compression_the_optimizer_is_the_one_inside(make_small):
    (plain, *data), (wrapped, *_) = make_small(), make_small()
    plain.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    take_steps(plain, *data, steps=4)
    learn(wrapped, *data, steps=4)
    for ours, theirs in zip(wrapped.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)


@pytest.mark.parametrize("quantized", ["int8", "int4"])
def test_a_quantized_model_learns_on_the_grid(make_classifier, batch, quantized):
    classifier = make_classifier(dropout=0.0, num_layers=1)
    losses, _ = learn(classifier, batch, LABELS, quantized)
    assert losses[-1] < 0.5 * losses[0]
    kernel = np.asarray(classifier.encoder.blocks[0].intermediate_dense.kernel)
    steps = kernel / (np.abs(kernel).max(0) / 127)  # a scale for each column
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    table = np.asarray(classifier.encoder.embeddings.token_embedding.embeddings)
    scale = np.abs(table).max() / 127 if quantized == "int8" else np.abs(table).max(1, keepdims=True) / 7
    np.testing.assert_allclose(table / scale, np.round(table / scale), atol=1e-3)


def test_the_optimizer_keeps_float_weights(make_small):
    """A step smaller than the grid is not lost."""
    model, *data = make_small()
    _, optimizer = learn(model, *data, "int8", steps=2)
    kernel = np.asarray(model.layers[0].kernel)
    (latent,) = [np.asarray(v) for v in optimizer.variables if v.path == "kernel" and v.shape == kernel.shape]
    assert 0 < np.abs(latent - kernel).max() <= np.abs(kernel).max() / 254 + 1e-6


def test_conversion_changes_nothing_more(make_classifier, batch):
    """The matrices of the int8 file are those that were learned; activations are rounded at run time."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    classifier = make_classifier(dropout=0.0, num_layers=1, hidden_dim=48, intermediate_dim=96)
    learn(classifier, batch, LABELS, "int8", steps=3)
    file = interpreter.Interpreter(model_content=convert(classifier, "int8"))
    file.allocate_tensors()
    kernel = np.asarray(classifier.encoder.blocks[0].intermediate_dense.kernel)
    distances = []
    for detail in file.get_tensor_details():
        if tuple(detail["shape"]) == kernel.T.shape and detail["dtype"] == np.int8:
            values = file.get_tensor(detail["index"]) * detail["quantization_parameters"]["scales"][:, None]
            distances.append(np.abs(values - kernel.T).max())
    assert min(distances) < 1e-6


@pytest.mark.parametrize("quantized", ["none", "int8"])
def test_pruning_reaches_its_share(make_small, quantized):
    model, *data = make_small()
    losses, _ = learn(model, *data, quantized, sparsity=0.5, steps=40)
    assert losses[-1] < losses[0]
    assert sparsity_of(model) == pytest.approx(0.5, abs=0.03)
    assert all((np.asarray(layer.bias) != 0).any() for layer in model.layers)


def test_a_second_phase_keeps_the_zeros_of_the_first(make_small):
    """A second phase starts with the zeros of the first, though it is too short for new masks."""
    model, *data = make_small()
    learn(model, *data, sparsity=0.5, steps=40)
    learn(model, *data, sparsity=0.5, steps=1)
    assert sparsity_of(model) == pytest.approx(0.5, abs=0.01)


def test_pruning_counts_steps_where_gradients_are_accumulated(make_small):
    model, *data = make_small()
    optimizer = keras.optimizers.Adam(0.02, gradient_accumulation_steps=2)
    model.compile(
        CompressingOptimizer(optimizer, model, "none", 0.5, 20), keras.losses.SparseCategoricalCrossentropy(True)
    )
    model.optimizer.build(model.trainable_variables)
    model.fit(tf.data.Dataset.from_tensor_slices(tuple(data)).batch(8).repeat(20), shuffle=False, verbose=0)
    assert sparsity_of(model) == pytest.approx(0.5, abs=0.03)


def test_pruning_in_too_few_steps_is_refused(make_small):
    with pytest.raises(InputError, match=r"sparsity: got 0.5, with 9 steps; expected 10 steps or more"):
        CompressingOptimizer(keras.optimizers.Adam(0.02), make_small()[0], "none", 0.5, 9)


def test_only_formats_with_scales_are_learned_with(make_small):
    with pytest.raises(InputError, match=r"quantize: got 'float16'; expected one of none, int8, int4"):
        CompressingOptimizer(keras.optimizers.Adam(0.02), make_small()[0], "float16", 0.0, 9)


def test_tables_are_not_pruned(make_classifier, batch):
    classifier = make_classifier(dropout=0.0, num_layers=1)
    learn(classifier, batch, LABELS, sparsity=0.5, steps=20)
    assert (np.asarray(classifier.encoder.embeddings.token_embedding.embeddings) != 0).all()
    assert sparsity_of(classifier) == pytest.approx(0.5, abs=0.03)


def test_legacy_keras_stays_out():
    """Neither a stage nor tensorflow-model-optimization brings it in."""
    code = """
        import os
        import tinybert_tf.stages.general
        assert "TF_USE_LEGACY_KERAS" not in os.environ
        import tensorflow as tf, keras
        from tinybert_tf.training import compression
        compression._model_optimization()
        assert "TF_USE_LEGACY_KERAS" not in os.environ
        assert tf.keras.Model is keras.Model, tf.keras.Model
    """
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    code = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-1500:]
    assert tf.keras.Model is keras.Model
