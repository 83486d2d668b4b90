"""Thresholds of the classes of which a text may have any number: each where its F1 is best."""

import numpy as np

LEAST_TEXTS = 10  # of a class; fewer say little about its threshold
_MARGIN = 0.5  # below the lowest logit, where all texts have the class


def best_cuts(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns each class's logit from which on to give the class, float64 `[classes]`, for the best F1 of these texts.

    It lies halfway between two texts' logits, or below all of them. It is 0, a probability of ½, for a class that fewer
    than ten texts have, and for one where no other number is better.

    Args:
        logits: A model's answers, `[texts, classes]`.
        labels: 1 for each class that a text has, else 0, `[texts, classes]`.
    """
    columns = zip(logits.T.astype(np.float64), labels.T.astype(bool))
    return np.array([_best_cut(column, has) if has.sum() >= LEAST_TEXTS else 0.0 for column, has in columns])


def _best_cut(logits: np.ndarray, has: np.ndarray) -> float:
    order = np.argsort(-logits, kind="stable")
    logits, found = logits[order], np.cumsum(has[order])
    counts = np.arange(1, len(logits) + 1)
    f1 = 2 * found / (counts + has.sum())
    f1[:-1][logits[:-1] == logits[1:]] = -1.0  # no number lies between these two texts
    best, given = int(f1.argmax()), int((logits >= 0).sum())
    if f1[best] <= (f1[given - 1] if given else 0.0):
        return 0.0
    return float(logits[best : best + 2].mean()) if best + 1 < len(logits) else float(logits[-1] - _MARGIN)
