"""Thresholds of the classes of which a text may have any number: each where its F1 is best."""

import numpy as np


def best_cuts(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns each class's logit from which on to give the class, float64 `[classes]`, for the best F1 of these texts.

    It lies halfway between two texts' logits. It is 0, a probability of ½, for a class that no text has and where no
    other number is better.

    Args:
        logits: A model's answers, `[texts, classes]`.
        labels: 1 for each class that a text has, else 0, `[texts, classes]`.
    """
    columns = zip(logits.T.astype(np.float64), labels.T.astype(bool))
    return np.array([_best_cut(column, has) for column, has in columns])


def _best_cut(logits: np.ndarray, has: np.ndarray) -> float:
    order = np.argsort(-logits, kind="stable")
    logits, found = logits[order], np.cumsum(has[order])
    counts = np.arange(1, len(logits) + 1)
    f1 = 2 * found / (counts + has.sum())
    f1[:-1][logits[:-1] == logits[1:]] = -1.0  # no number lies between these two texts
    best = int(f1.argmax())
    given = int((logits >= 0).sum())
    if f1[best] <= (f1[given - 1] if given else 0.0):
        return 0.0
    return float(logits[best : best + 2].mean())
