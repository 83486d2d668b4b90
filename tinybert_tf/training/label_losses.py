"""The losses of labels that a classifier learns from, with a weight for each class if classes are uneven."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops


def label_loss(regression: bool, multi_label: bool, weights: np.ndarray | None = None) -> keras.losses.Loss:
    """Returns the loss of logits `[batch, classes]`: squared error, binary cross-entropy, or cross-entropy.

    Args:
        regression: Whether the labels are numbers `[batch]`.
        multi_label: Whether the labels are rows of 0 and 1 `[batch, classes]`.
        weights: Weight of each class `[classes]`, or None.
    """
    if regression:
        return keras.losses.MeanSquaredError()
    if weights is not None:
        return WeightedBinaryCrossEntropy(weights) if multi_label else WeightedCrossEntropy(weights)
    if multi_label:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class _Weighted(keras.losses.Loss):
    """A loss with a weight for each class.

    Args:
        weights: w, `[classes]`.
    """

    def __init__(self, weights: np.ndarray):
        super().__init__()
        self.weights = weights


class WeightedCrossEntropy(_Weighted):
    """The mean over the batch of w_c times the cross-entropy, where c is the label."""

    def call(self, y_true, y_pred):
        """Compares class numbers `[batch]` with logits `[batch, classes]`; returns `[batch]`."""
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        losses = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        return losses * ops.take(ops.convert_to_tensor(self.weights), labels)


class WeightedBinaryCrossEntropy(_Weighted):
    """The mean over batch and classes of the binary cross-entropy, with w_c times the loss where class c is a label."""

    def call(self, y_true, y_pred):
        """Compares rows of 0 and 1 with logits, both `[batch, classes]`; returns `[batch]`."""
        labels = ops.cast(y_true, y_pred.dtype)
        losses = tf.nn.weighted_cross_entropy_with_logits(labels, y_pred, ops.cast(self.weights, y_pred.dtype))
        return ops.mean(losses, axis=-1)
