"""The metrics that GLUE and the field report, and their confidence intervals.

Labels are class numbers `[examples]`, numbers `[examples]` for regression, or, where a text may have any number of
classes, rows of 0 and 1 `[examples, classes]`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.special
import scipy.stats

# A function of (labels, predictions) for each metric; both have one form. An interval takes a thousand of each, so
# none computes more than its value: SciPy's correlations and scikit-learn's scores take from 3 to 100 times as long.
_METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda labels, predictions: np.mean(labels == predictions),
    "f1": lambda labels, predictions: _f1(counts_by_class(labels, predictions, 2))[1],
    "macro_f1": lambda labels, predictions: _macro_f1(counts_by_class(labels, predictions), labels.ndim == 2),
    "micro_f1": lambda labels, predictions: _f1(counts_by_class(labels, predictions).sum(axis=1)),
    "matthews": lambda labels, predictions: _correlation(labels, predictions),  # the same of two classes
    "pearson": lambda labels, predictions: _correlation(labels, predictions),
    "spearman": lambda labels, predictions: _spearman(labels, predictions),
    "mae": lambda labels, predictions: np.mean(np.abs(labels - predictions)),
}
ERRORS = ("mae",)  # in the unit of the labels; smaller is better

_BOOTSTRAP_SAMPLES = 1000


def _correlation(labels, predictions) -> float:
    """Returns Pearson's correlation, or 0 instead of NaN where either side is constant."""
    if len(labels) < 2 or np.ptp(labels) == 0 or np.ptp(predictions) == 0:
        return 0.0
    # In float64: in float32, numbers that lie close together far from 0 lose what they differ by.
    return float(np.corrcoef(np.asarray(labels, np.float64), np.asarray(predictions, np.float64))[0, 1])


def _spearman(labels, predictions) -> float:
    return _correlation(scipy.stats.rankdata(labels), scipy.stats.rankdata(predictions))


def counts_by_class(labels: np.ndarray, predictions: np.ndarray, classes: int = 0) -> np.ndarray:
    """Returns how often each class is the label, is predicted, and is both: int64 `[3, classes]`.

    Args:
        labels: Class numbers, or rows of 0 and 1.
        predictions: The same of a model.
        classes: Number of classes; by default as many as occur.
    """
    if labels.ndim == 2:
        both = labels.astype(bool), predictions.astype(bool)
        return np.stack([part.sum(axis=0) for part in (*both, both[0] & both[1])])
    classes = max(classes, labels.max(initial=0) + 1, predictions.max(initial=0) + 1)
    parts = (labels, predictions, labels[labels == predictions])
    return np.stack([np.bincount(part, minlength=classes) for part in parts])


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Returns how often each class (row) is predicted as each class (column), int64 `[classes, classes]`."""
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def _f1(counts: np.ndarray) -> np.ndarray:
    """Returns F1 of counts `[3, …]`; 0 where nothing is labelled or predicted."""
    return 2 * counts[2] / np.maximum(counts[0] + counts[1], 1)


def _macro_f1(counts: np.ndarray, all_classes: bool) -> float:
    """Returns the mean F1, of classes that occur, or of all of them."""
    return np.mean(_f1(counts)[all_classes | (counts[0] + counts[1] > 0)])


def probabilities_of(logits: np.ndarray, multi_label: bool = False) -> np.ndarray:
    """Returns the softmax of logits `[examples, classes]`; a regression's numbers `[examples, 1]` stay as they are.

    Where a text may have any number of classes it is the sigmoid.
    """
    if logits.shape[-1] == 1:
        return logits
    return scipy.special.expit(logits) if multi_label else scipy.special.softmax(logits, axis=-1)


def predictions_of(logits: np.ndarray, multi_label: bool = False, threshold: float = 0.5) -> np.ndarray:
    """Returns the class of each row of logits `[examples, classes]`, or the number if there is one column.

    Where a text may have any number of classes these are rows of 0 and 1: each class whose probability is at least
    `threshold`.
    """
    if multi_label:
        return (logits >= scipy.special.logit(threshold)).astype(np.int64)
    return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(axis=1)


def same_answers(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Returns for each example whether two models' predictions agree, in all classes where there may be several."""
    equal = ours == theirs
    return equal.all(axis=1) if equal.ndim == 2 else equal


def compute(names: Sequence[str], labels: np.ndarray, logits: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Returns the named metrics of logits `[examples, classes]`; `threshold` is for several classes per text."""
    predictions = predictions_of(logits, labels.ndim == 2, threshold)
    return {name: float(_METRICS[name](labels, predictions)) for name in names}


def score_of(names: Sequence[str], values: dict[str, float]) -> float:
    """Returns the mean of these metrics, as GLUE averages them; errors count as negative."""
    return float(np.mean([-values[name] if name in ERRORS else values[name] for name in names]))


def loss_of(labels: np.ndarray, logits: np.ndarray) -> float:
    """Returns the mean loss: cross-entropy, binary cross-entropy of several classes per text, or squared error."""
    logits = logits.astype(np.float64)
    if labels.ndim == 2:
        return float(np.mean(np.logaddexp(0, logits) - labels * logits))
    if logits.shape[1] == 1:
        return float(np.mean(np.square(logits[:, 0] - labels)))
    return float(-np.mean(scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]))


def shown(name: str, value: float) -> str:
    """Returns a metric's value as text: a percentage, or a number in the unit of the labels."""
    return f"{value:.4g}" if name in ERRORS else f"{100 * value:.2f}"


def bootstrap(
    name: str,
    labels: np.ndarray,
    logits: np.ndarray,
    other_logits: np.ndarray | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    threshold: float = 0.5,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of a metric, from 1,000 draws of the examples.

    Args:
        name: Name of the metric.
        labels: Labels, `[examples]`.
        logits: Logits of the model, `[examples, classes]`.
        other_logits: Logits of another model on the same examples. The interval is then that of the difference,
            first minus other, with both models on the same draws: a paired bootstrap.
        seed: Seed of the draws.
        confidence: Share of the draws that fall into the interval.
        threshold: Probability from which on a class is predicted, where a text may have several.
    """
    rng, metric = np.random.default_rng(seed), _METRICS[name]
    kind = labels.ndim == 2, threshold
    ours = predictions_of(logits, *kind)
    theirs = None if other_logits is None else predictions_of(other_logits, *kind)
    values = []
    for _ in range(_BOOTSTRAP_SAMPLES):
        drawn = rng.integers(len(labels), size=len(labels))
        value = metric(labels[drawn], ours[drawn])
        values.append(value if theirs is None else value - metric(labels[drawn], theirs[drawn]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
