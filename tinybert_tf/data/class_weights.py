"""Weights of classes in the loss, for classes of uneven sizes."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError

BALANCED = "balanced"


def class_weights(task: Task, labels: np.ndarray, given: Sequence[str]) -> np.ndarray | None:
    """Returns the weight of each class in the loss, float32 `[classes]`; None if none is given.

    "balanced" gives every class the same total weight, with a mean of 1 over the examples: n / (classes · n_c), as in
    scikit-learn. Where a text may have several classes, the weight is that of a class's own examples against all
    others: (n − n_c) / n_c.

    Args:
        task: The task.
        labels: The training labels.
        given: "balanced", or pairs such as "complaint=5"; classes that are not named have the weight 1.

    Raises:
        InputError: The task has no classes, or a name or a weight cannot be used.
    """
    if not given:
        return None
    if task.is_regression:
        raise InputError("class_weights", ",".join(given), "none: the labels are numbers")
    if tuple(given) == (BALANCED,):
        counts = labels.sum(axis=0) if task.multi_label else np.bincount(labels, minlength=len(task.labels))
        # Of a class that every text has, at least a little is learned.
        others = np.maximum(len(labels) - counts, 1) if task.multi_label else len(labels) / len(task.labels)
        return np.where(counts > 0, others / np.maximum(counts, 1), 0.0).astype(np.float32)
    weights = np.ones(len(task.labels), np.float32)
    for pair in given:
        name, _, value = pair.rpartition("=")
        if name not in task.labels:
            raise InputError("class_weights", repr(pair), f"{BALANCED}, or NAME=WEIGHT of {', '.join(task.labels[:8])}")
        try:
            weights[task.labels.index(name)] = float(value)
        except ValueError:
            weights[task.labels.index(name)] = np.nan
        if not 0 <= weights[task.labels.index(name)] < np.inf:
            raise InputError("class_weights", repr(pair), "a weight of 0 or more")
    return weights
