"""Whether probabilities can be believed: temperature, calibration error, and what abstaining below a threshold buys.

Guo et al. 2017 (arXiv 1706.04599): the temperature T that is fitted on held-out examples divides the logits, so that it
changes no answer; the expected calibration error is the mean gap between confidence and accuracy.
"""

import dataclasses

import numpy as np
import scipy.optimize

from tinybert_tf.evaluation import metrics

BINS = 15
_RANGE, _STEP = (np.log(0.05), np.log(20.0)), 1e-4  # of the temperature's logarithm
# Between these a temperature fits; beyond them all answers are right, or the labels have nothing to do with them.
MOST_SURE, LEAST_SURE = np.exp(_RANGE[0] + 10 * _STEP), np.exp(_RANGE[1] - 10 * _STEP)
TARGETS = (0.9, 0.95, 0.99)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the temperature from 0.05 to 20 with the least loss of logits `[examples, classes]` over it."""

    def loss(logarithm):
        return metrics.loss_of(labels, logits / np.exp(logarithm))

    found = scipy.optimize.minimize_scalar(loss, bounds=_RANGE, method="bounded", options={"xatol": _STEP})
    return float(np.exp(found.x))


@dataclasses.dataclass(frozen=True)
class Confidence:
    """How sure a model is of each of its answers, and whether they are right.

    Args:
        confidence: Probability of each answer, `[answers]`.
        correct: Whether it is right, bool `[answers]`.
    """

    confidence: np.ndarray
    correct: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> "Confidence":
        """Returns those of logits `[examples, classes]`; where a text may have several classes, each is an answer."""
        several = labels.ndim == 2
        probabilities = metrics.probabilities_of(logits.astype(np.float64) / temperature, several)
        if several:
            return cls(np.maximum(probabilities, 1 - probabilities).ravel(), ((probabilities >= 0.5) == labels).ravel())
        return cls(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)

    def bins(self) -> list[dict]:
        """Returns `confidence`, `accuracy` and `examples` of each fifteenth of the confidences from 0 to 1."""
        places = np.minimum((self.confidence * BINS).astype(int), BINS - 1)
        rows = []
        for place in np.unique(places):
            here = places == place
            means = float(self.confidence[here].mean()), float(self.correct[here].mean())
            rows.append(dict(zip(("confidence", "accuracy", "examples"), (*means, int(here.sum())))))
        return rows

    def calibration_error(self) -> float:
        """Returns the expected calibration error, from 0 to 1."""
        gaps = [row["examples"] * abs(row["confidence"] - row["accuracy"]) for row in self.bins()]
        return sum(gaps) / len(self.confidence)

    def at(self, threshold: float) -> dict:
        """Returns the share that is answered at this confidence or more (`coverage`), and its `accuracy`."""
        answered = self.confidence >= threshold
        accuracy = float(self.correct[answered].mean()) if answered.any() else None
        return {"threshold": threshold, "coverage": float(answered.mean()), "accuracy": accuracy}

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns coverages and the accuracy at each, from the surest answers to all, equal ones together."""
        order = np.argsort(-self.confidence, kind="stable")
        ends = np.append(np.diff(self.confidence[order]) < 0, True)
        counts = np.arange(1, len(order) + 1)
        return (counts / len(order))[ends], (np.cumsum(self.correct[order]) / counts)[ends]

    def threshold_for(self, accuracy: float) -> float | None:
        """Returns the least confidence from which on the answers are this accurate; None if there is none."""
        coverages, accuracies = self.curve()
        enough = np.flatnonzero(accuracies >= accuracy)
        if not len(enough):
            return None
        last = round(coverages[enough[-1]] * len(self.confidence)) - 1
        return float(np.sort(self.confidence)[::-1][last])
