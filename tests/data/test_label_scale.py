"""The unit in which numbers are learned."""

import keras
import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.label_scale import LabelScale
from tinybert_tf.data.tasks import Task

NUMBERS = np.array([20, 50, 80, 50], np.float32)


def task(name="files", labels=("score",), numbers=NUMBERS):
    return Task(name, labels, ("pearson",), {"train": Examples(["x"] * len(numbers), labels=numbers)})


@pytest.fixture
def head():
    layer = keras.layers.Dense(1, bias_initializer="normal")
    layer.build((None, 4))
    return layer


def test_the_training_part_has_mean_0_and_deviation_1():
    scale = LabelScale.of(task())
    scaled = scale.scaled(NUMBERS)
    assert scaled.dtype == np.float32
    assert scaled.mean() == pytest.approx(0, abs=1e-6) and scaled.std() == pytest.approx(1)
    np.testing.assert_allclose(scale.restored(scaled), NUMBERS, rtol=1e-6)


def test_other_tasks_keep_their_unit():
    """GLUE's STS-B is learned as everyone learns it."""
    assert LabelScale.of(task("stsb")) == LabelScale.of(task(labels=("a", "b"))) == LabelScale()
    assert LabelScale().scaled(NUMBERS) is NUMBERS and LabelScale().restored(NUMBERS) is NUMBERS


def test_equal_numbers_can_be_scaled():
    assert LabelScale.of(task(numbers=np.full(3, 7, np.float32))) == LabelScale(7.0, 1.0)


def test_a_head_answers_in_either_unit(head):
    features, scale = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32), LabelScale(50.0, 20.0)
    before, weights = np.asarray(head(features)), [np.asarray(weight).copy() for weight in head.weights]
    scale.fold_into(head)
    np.testing.assert_allclose(np.asarray(head(features)), scale.restored(before), rtol=1e-5)
    scale.take_out_of(head)
    np.testing.assert_allclose(np.asarray(head(features)), before, atol=1e-5)
    LabelScale().fold_into(head)
    for ours, theirs in zip(head.weights, weights):
        np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-6)
