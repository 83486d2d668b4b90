"""The losses of labels against numbers worked out with NumPy."""

import keras
import numpy as np
import pytest

from tinybert_tf.training.label_losses import label_loss

LOGITS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], np.float32)
WEIGHTS = np.array([2.0, 0.5, 3.0], np.float32)


def test_a_class_weighs_as_much_as_it_is_given():
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    labels = np.array([2, 1])
    expected = -(3.0 * np.log(shares[0, 2]) + 0.5 * np.log(shares[1, 1])) / 2
    for given in (labels, labels[:, None]):
        assert float(label_loss(False, False, WEIGHTS)(given, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_where_a_text_has_several_classes_its_own_ones_are_weighed():
    labels = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    shares = 1 / (1 + np.exp(-LOGITS))
    terms = WEIGHTS * labels * np.log(shares) + (1 - labels) * np.log(1 - shares)
    assert float(label_loss(False, True, WEIGHTS)(labels, LOGITS)) == pytest.approx(-terms.mean(), rel=1e-5)
    even = float(label_loss(False, True, np.ones(3, np.float32))(labels, LOGITS))
    assert even == pytest.approx(float(label_loss(False, True)(labels, LOGITS)), rel=1e-5)


def test_without_weights_they_are_keras_own():
    assert isinstance(label_loss(True, False), keras.losses.MeanSquaredError)
    assert isinstance(label_loss(False, False), keras.losses.SparseCategoricalCrossentropy)
