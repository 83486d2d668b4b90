"""Temperature and calibration error against what is known of made-up answers."""

import numpy as np
import pytest
import scipy.special

from tinybert_tf.evaluation.calibration import Confidence, fit_temperature


def drawn(temperature, count=20_000, classes=3, seed=0):
    """Logits whose softmax at this temperature are the true probabilities of the labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes)) * 4
    sums = np.cumsum(scipy.special.softmax(logits / temperature, axis=1), axis=1)
    return logits, np.minimum((rng.random((count, 1)) > sums).sum(1), classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_calibrates(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.04)
    assert Confidence.of(logits, labels, found).calibration_error() < 0.015
    if temperature != 1:
        assert Confidence.of(logits, labels).calibration_error() > 0.04


def test_several_labels_per_text():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, 4)) * 3
    labels = (rng.random(logits.shape) < scipy.special.expit(logits / 2)).astype(np.int64)
    assert fit_temperature(logits, labels) == pytest.approx(2, rel=0.05)
    found = Confidence.of(logits, labels)
    assert found.confidence.shape == (20_000,) and found.confidence.min() >= 0.5


def test_answers_that_are_all_right_have_a_temperature():
    assert fit_temperature(np.eye(3), np.arange(3)) == pytest.approx(0.05, rel=0.01)
    assert 0.05 <= fit_temperature(np.eye(3) * 50, np.arange(3)) <= 20  # the loss is 0 at many


def test_calibration_error_by_hand():
    found = Confidence(np.array([0.9, 0.9, 0.9, 0.61]), np.array([True, True, False, False]))
    assert [row["examples"] for row in found.bins()] == [1, 3]
    assert found.calibration_error() == pytest.approx((1 * 0.61 + 3 * (0.9 - 2 / 3)) / 4)
    assert Confidence(np.array([1.0]), np.array([True])).calibration_error() == 0


def test_abstaining_by_hand():
    found = Confidence(np.array([0.6, 0.9, 0.8, 0.8]), np.array([True, True, True, False]))
    assert found.at(0.8) == {"threshold": 0.8, "coverage": 0.75, "accuracy": pytest.approx(2 / 3)}
    assert found.at(0.95) == {"threshold": 0.95, "coverage": 0.0, "accuracy": None}
    coverages, accuracies = found.curve()
    np.testing.assert_allclose(coverages, [0.25, 0.75, 1.0])
    np.testing.assert_allclose(accuracies, [1.0, 2 / 3, 0.75])
    assert (found.threshold_for(0.7), found.threshold_for(0.9), found.threshold_for(1.0)) == (0.6, 0.9, 0.9)
    assert Confidence(np.array([0.9, 0.8]), np.array([False, True])).threshold_for(0.9) is None


@pytest.mark.parametrize("target", [0.8, 0.9, 0.95])
def test_the_threshold_answers_as_many_as_it_can(target):
    logits, labels = drawn(1.0, count=400)
    found = Confidence.of(logits, labels)
    threshold = found.threshold_for(target)
    assert found.at(threshold)["accuracy"] >= target
    lower = found.confidence[found.confidence < threshold]
    assert all(found.at(value)["accuracy"] < target for value in lower)
