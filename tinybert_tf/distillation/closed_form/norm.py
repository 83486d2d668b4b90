"""The layer norm that comes closest to given states."""

import numpy as np

from tinybert_tf.distillation.closed_form.states import Spool, Text


def normalized(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Returns `x` `[…, width]` with a mean of 0 and a variance of 1 in each row."""
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


class NormFit:
    """gamma and beta of a layer norm: a regression line for each coordinate.

    Args:
        text: The text.
        inputs: Normalized states `[batch, length, width]` per batch.
        targets: What the layer norm shall give for them.
        gamma, beta: The teacher's, which stay where the fit is exact.

    Attributes:
        gamma, beta: The fitted parameters, `[width]`.
    """

    def __init__(self, text: Text, inputs: Spool, targets: Spool, gamma: np.ndarray, beta: np.ndarray):
        self._inputs, sums = inputs, 0.0
        for valid, _, x, target in text.each(inputs, targets):
            x, target = (array[valid].astype(np.float64) for array in (x, target))
            error = target - (gamma * x + beta)
            sums = sums + np.stack([part.sum(0) for part in (x, x * x, error, x * error)])
        x, xx, error, x_error = sums / text.rows
        slope = (x_error - x * error) / np.maximum(xx - x * x, 1e-6)
        self.gamma = (gamma + slope).astype(np.float32)
        self.beta = (beta + error - slope * x).astype(np.float32)

    def __iter__(self):
        """Yields the outputs of the layer norm per batch."""
        return (x * self.gamma + self.beta for x in self._inputs)

    def assign(self, layer) -> None:
        """Writes the parameters into a layer norm."""
        layer.gamma.assign(self.gamma)
        layer.beta.assign(self.beta)


def explained_share(text: Text, states, targets: Spool) -> float:
    """Returns the share of the targets' variance that the states explain, as they are."""
    sums = 0.0
    for valid, _, x, target in text.each(states, targets):
        x, target = (array[valid].astype(np.float64) for array in (x, target))
        sums = sums + np.stack([part.sum(0) for part in (np.square(x - target), np.square(target), target)])
    error, square, mean = sums / text.rows
    return float(1 - error.sum() / (square - mean**2).sum())
