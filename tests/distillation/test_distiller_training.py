import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.distillation.conftest import evaluate, train, weights_of
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller

JOINT, PREDICTION = LossWeights.joint(), LossWeights.prediction_only()
SMALL = {"teacher": {"num_layers": 1}, "student": {"num_layers": 1}}
INTERMEDIATE = ["loss", "attention_loss", "hidden_loss", "embedding_loss"]
BY_LAYER = ["attention_loss_1", "hidden_loss_1"]


def assert_same_weights(ours, theirs, **tolerance):
    for weight, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_allclose(weight, other, **tolerance)


@pytest.mark.parametrize(
    ("weights", "labels", "names", "by_layer"),
    [
        (None, None, INTERMEDIATE, BY_LAYER),
        (PREDICTION, ("no", "yes"), ["loss", "prediction_loss"], []),
        (LossWeights(embedding=0.0, attention=0.0), None, ["loss", "hidden_loss"], ["hidden_loss_1"]),
    ],
)
def test_names_of_what_is_logged(make_distiller, batch, weights, labels, names, by_layer):
    distiller = make_distiller(weights, labels=labels, **SMALL)
    distiller.teacher.compile("sgd", "mse", metrics=["mae"])  # a teacher that was trained brings its own metrics
    distiller.compile("sgd", run_eagerly=True)
    history = distiller.fit(batch, validation_data=(batch,), verbose=0).history
    evaluated = [*names, *by_layer]
    assert set(history) == {*names, *(f"val_{name}" for name in evaluated)}
    logs = distiller.evaluate(batch, verbose=0, return_dict=True)
    assert set(logs) == set(evaluated)
    assert sorted(distiller.evaluate(batch, verbose=0)) == sorted(logs.values())


def test_metrics_and_predictions(make_distiller, batch):
    distiller = make_distiller(JOINT, **SMALL)
    logits = distiller.student(batch).numpy()
    right = logits.argmax(-1)
    labels = np.array([right[0], right[1], 1 - right[2]])
    distiller.compile(keras.optimizers.SGD(0.0), metrics=["accuracy"], run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((batch, labels)).batch(2)
    history = distiller.fit(data, shuffle=False, verbose=0).history
    assert set(history) == {*INTERMEDIATE, "prediction_loss", "accuracy"}
    logs = distiller.evaluate(data, verbose=0, return_dict=True)
    assert set(logs) == {*history, *BY_LAYER}
    assert history["accuracy"][0] == pytest.approx(logs["accuracy"]) == pytest.approx(2 / 3)
    np.testing.assert_allclose(distiller.predict(data, verbose=0), logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(distiller(batch), logits, rtol=1e-5, atol=1e-6)


def test_evaluation_averages_over_sentences(make_distiller, batch):
    distiller = make_distiller(JOINT, **SMALL)
    distiller.compile("sgd", run_eagerly=True)
    labels, weights = np.array([0, 1, 0]), np.array([1.0, 3.0, 0.5], "float32")
    for rest in ((), (labels, weights)):
        given = dict(zip(("y", "sample_weight"), rest)) | {"verbose": 0, "return_dict": True}
        whole = distiller.evaluate(batch, batch_size=3, **given)
        assert distiller.evaluate(batch, batch_size=2, **given) == pytest.approx(whole, rel=1e-5)
        assert whole == pytest.approx(evaluate(distiller, batch, *rest), rel=1e-5)


@pytest.mark.parametrize("eagerly", [True, False])
def test_accumulation_equals_the_whole_batch(make_distiller, batch, eagerly):
    def optimizer(**steps):
        if eagerly:
            return keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=1.0, **steps)
        return keras.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-3, **steps)

    whole, parts = make_distiller(JOINT, **SMALL), make_distiller(JOINT, **SMALL)
    whole.compile(optimizer())
    parts.compile(optimizer(gradient_accumulation_steps=3), run_eagerly=eagerly)
    before = weights_of(whole)
    for _ in range(2):
        train(whole, batch)
    parts.fit(tf.data.Dataset.from_tensor_slices(batch).batch(1), epochs=2, shuffle=False, verbose=0)
    assert max(np.abs(now - then).max() for now, then in zip(weights_of(whole), before)) > 1e-2
    assert_same_weights(whole, parts, rtol=1e-5, atol=2e-6)


def test_no_warning_about_unused_variables(make_distiller, batch):
    distiller = make_distiller(LossWeights(0.0, (1.0, 0.0), (1.0, 0.0)))
    before = weights_of(distiller)
    distiller.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(distiller, batch)
    student = distiller.student.encoder
    unused = [*student.blocks[1].variables, *student.pooler.variables, *distiller.student.classifier.variables]
    unused = {id(variable) for variable in unused}
    for variable, value in zip(distiller.trainable_variables, before, strict=True):
        assert np.array_equal(variable, value) == (id(variable) in unused), variable.path


def test_the_loss_is_scaled_for_the_optimizer(make_distiller, batch):
    ours, theirs = make_distiller(JOINT, **SMALL), make_distiller(JOINT, **SMALL)
    ours.compile(keras.optimizers.SGD(0.1, loss_scale_factor=1024.0))
    assert train(ours, batch) == train(theirs, batch)
    assert_same_weights(ours, theirs, rtol=1e-5, atol=1e-6)


def test_mixed_float16(make_distiller, batch):
    half = {"num_layers": 1, "dtype": "mixed_float16"}
    distiller = make_distiller(teacher=half, student=half)
    assert {layer.dtype_policy.name for layer in distiller.projections.values()} == {"mixed_float16"}
    assert evaluate(distiller, batch) == pytest.approx(evaluate(make_distiller(**SMALL), batch), rel=0.02)
    distiller.compile(keras.optimizers.SGD(0.01))
    assert isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)
    before = weights_of(distiller)
    data = tf.data.Dataset.from_tensors(batch).repeat(10)
    history = distiller.fit(data, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0] < np.inf
    heads = {id(v) for v in [*distiller.student.classifier.variables, *distiller.student.encoder.pooler.variables]}
    moved = weights_of(distiller)
    for variable, now, then in zip(distiller.trainable_variables, moved, before, strict=True):
        assert np.isfinite(now).all()
        assert (now != then).any() == (id(variable) not in heads), variable.path
    distiller.optimizer.dynamic_scale.assign(1e30)
    distiller.fit(data.take(1), verbose=0)
    np.testing.assert_allclose(distiller.optimizer.dynamic_scale, 5e29)
    for now, then in zip(weights_of(distiller), moved, strict=True):
        np.testing.assert_array_equal(now, then)


def test_xla_changes_nothing(make_distiller, batch):
    logs, distillers = [], [make_distiller(JOINT, **SMALL) for _ in range(2)]
    for distiller, jit_compile in zip(distillers, (True, False)):
        distiller.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile, run_eagerly=not jit_compile)
        assert distiller.jit_compile is jit_compile
        logs.append(distiller.fit(tf.data.Dataset.from_tensors(batch).repeat(2), verbose=0).history)
    for name, values in logs[0].items():
        assert values == pytest.approx(logs[1][name], rel=1e-5)
    assert_same_weights(*distillers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("projection", ["per_layer", "shared"])
def test_saved_and_loaded(make_distiller, batch, tmp_path, projection):
    weights = LossWeights(0.5, (1.0, 2.0), (0.25, 0.0), 1.0)
    one_layer = {"num_layers": 1}
    distiller = make_distiller(weights, one_layer, projection=projection, layer_map=[1, 1], temperature=2.0)
    distiller.compile(keras.optimizers.AdamW(0.01), metrics=["accuracy"])
    labels = np.array([0, 1, 1])
    train(distiller, batch, labels)
    distiller.save(tmp_path / "distiller.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert loaded.layer_map == (1, 1)
    assert loaded.loss_weights == weights
    assert evaluate(loaded, batch, labels) == pytest.approx(evaluate(distiller, batch, labels), rel=1e-6)
    assert not loaded.teacher.trainable
    assert len(loaded.trainable_variables) == len(distiller.trainable_variables)
    # The optimizer's moments came along too.
    train(distiller, batch, labels)
    train(loaded, batch, labels)
    assert_same_weights(loaded, distiller, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(loaded.teacher(batch), distiller.teacher(batch))


def test_rebuilt_from_its_configuration(make_distiller):
    distiller = make_distiller(name="first")
    config = distiller.get_config()
    for _ in range(2):  # which leaves the configuration as it was
        rebuilt = TinyBertDistiller.from_config(config)
        assert rebuilt.get_config() == config
        assert rebuilt.name == "first"
        # A frozen model is rebuilt with layers that still learn: here they must not.
        assert not any(variable.trainable for variable in rebuilt.teacher.variables)


def test_overfits_one_batch(make_distiller, batch):
    student = {"num_layers": 1, "hidden_dim": 12, "intermediate_dim": 20}
    distiller = make_distiller(teacher={"num_layers": 1}, student=student)
    distiller.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    distiller.optimizer.build(distiller.trainable_variables)
    variables = [*distiller.variables, *distiller.optimizer.variables]
    before, losses = [variable.numpy() for variable in variables], []
    for epochs in (18, 1):
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        data = tf.data.Dataset.from_tensors(batch).repeat(10)
        losses.append(distiller.fit(data, epochs=epochs, shuffle=False, verbose=0).history["loss"])
    assert losses[0][0] > 10 * losses[0][-1], losses
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-5)


REPLICAS = """
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
import numpy as np
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.models import BertEncoder

shape = dict(vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4, dropout=0.0)
token_ids = np.arange(24, dtype="int32").reshape(4, 6) % 9
batch = {"token_ids": token_ids, "segment_ids": token_ids * 0, "padding_mask": token_ids * 0 + 1}
ends = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        distiller = TinyBertDistiller(
            BertEncoder(**shape), BertEncoder(**shape), loss_weights=LossWeights(hidden=0.0, attention=0.0)
        )
        eagerly = strategy.num_replicas_in_sync == 1  # two steps end before a graph is traced
        distiller.compile(keras.optimizers.SGD(0.5), run_eagerly=eagerly, jit_compile=False)
    history = distiller.fit(tf.data.Dataset.from_tensor_slices(batch).batch(4), epochs=2, verbose=0).history
    ends.append((history["loss"], [np.asarray(variable) for variable in distiller.trainable_variables]))
np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=1e-5)
for one, two in zip(ends[0][1], ends[1][1], strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
"""


def test_two_replicas_equal_one():
    run = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
