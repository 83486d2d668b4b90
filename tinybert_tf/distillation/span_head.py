"""The closed-form start of a question answerer's head: least squares from the student's states to the teacher's logits.

The softmax that follows looks at a sentence's differences of logits, and most at the few places where an answer may
be. So a token weighs as much as its share of the sentence plus the probability that the teacher gives it.
"""

from collections.abc import Iterable

import numpy as np
import scipy.special

from tinybert_tf.distillation.closed_form.least_squares import ridge_solve
from tinybert_tf.models import BertQuestionAnswerer

_RIDGE = 1e-4


def initialize_span_head(
    teacher: BertQuestionAnswerer, student: BertQuestionAnswerer, states: Iterable[tuple[np.ndarray, ...]]
) -> None:
    """Gives a student that imitates the teacher's last layer the head that is closest to the teacher's.

    Args:
        teacher: A fine-tuned question answerer.
        student: A question answerer that imitates its last layer.
        states: For each batch its mask `[batch, length]`, and both models' last states `[batch, length, hidden_dim]`,
            the student's first.
    """
    kernel, bias = (np.asarray(weight, np.float64) for weight in teacher.qa_outputs.weights)
    sums = [_WeightedSums() for _ in bias]
    for mask, ours, theirs in states:
        valid = np.asarray(mask, bool)
        for column, total in enumerate(sums):
            logits = theirs @ kernel[:, column] + bias[column]
            probabilities = scipy.special.softmax(np.where(valid, logits, -np.inf), axis=1)
            weights = probabilities + 1 / valid.sum(axis=1, keepdims=True)
            total.add(ours[valid], logits[valid], weights[valid])
    heads = [total.solve() for total in sums]
    student.qa_outputs.kernel.assign(np.stack([kernel for kernel, _ in heads], axis=1))
    student.qa_outputs.bias.assign(np.array([bias for _, bias in heads]))


class _WeightedSums:
    """The sums over rows that a weighted linear regression of one number on x needs, float64."""

    def __init__(self):
        self.weight = self.x = self.y = self.xx = self.xy = 0.0

    def add(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> None:
        """Adds rows: x `[rows, inputs]`, y and weights `[rows]`."""
        weighted = x * weights[:, None]
        self.weight, self.x, self.y = self.weight + weights.sum(), self.x + weighted.sum(0), self.y + weights @ y
        self.xx, self.xy = self.xx + weighted.T @ x, self.xy + weighted.T @ y

    def solve(self) -> tuple[np.ndarray, float]:
        """Returns kernel `[inputs]` and bias of the least squared error, with a slight ridge."""
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        covariance = self.xx / self.weight - np.outer(mean_x, mean_x)
        kernel = ridge_solve(covariance, self.xy / self.weight - mean_x * mean_y, _RIDGE)
        return kernel, mean_y - mean_x @ kernel
