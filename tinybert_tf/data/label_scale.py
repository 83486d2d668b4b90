"""The unit in which a model learns numbers: its head starts near 0, and answers near 50 would take it too long."""

import dataclasses

import numpy as np

from tinybert_tf.data.tasks import Task


@dataclasses.dataclass(frozen=True)
class LabelScale:
    """A unit with mean 0 and deviation 1: scaled = (number − mean) / deviation.

    Args:
        mean: Mean of the numbers.
        deviation: Standard deviation of the numbers, above 0.
    """

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, task: Task) -> "LabelScale":
        """Returns the unit of the training part of a user's own numbers; for other tasks the labels' own unit."""
        labels = task.split("train").labels if task.is_own and task.is_regression else None
        return cls() if labels is None else cls.of_numbers(labels)

    @classmethod
    def of_numbers(cls, numbers: np.ndarray) -> "LabelScale":
        """Returns the unit in which these numbers have mean 0 and deviation 1."""
        numbers = numbers.astype(np.float64)
        return cls(float(numbers.mean()), float(numbers.std()) or 1.0)

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Returns numbers of the labels' unit in this one, of the same type."""
        return numbers if self == LabelScale() else ((numbers - self.mean) / self.deviation).astype(numbers.dtype)

    def restored(self, numbers: np.ndarray) -> np.ndarray:
        """Returns numbers of this unit in the labels' one, float64 because they may be close together there."""
        return numbers if self == LabelScale() else numbers.astype(np.float64) * self.deviation + self.mean

    def fold_into(self, head) -> None:
        """Makes a dense layer that answers in this unit answer in the labels' one."""
        if self != LabelScale():
            kernel, bias = (np.asarray(weight, np.float64) for weight in (head.kernel, head.bias))
            head.kernel.assign(kernel * self.deviation)
            head.bias.assign(bias * self.deviation + self.mean)

    def take_out_of(self, head) -> None:
        """Makes a dense layer that answers in the labels' unit answer in this one."""
        if self != LabelScale():
            kernel, bias = (np.asarray(weight, np.float64) for weight in (head.kernel, head.bias))
            head.kernel.assign(kernel / self.deviation)
            head.bias.assign((bias - self.mean) / self.deviation)
