"""The metrics that GLUE and the field report, and their confidence intervals."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics

# A function of (labels, predictions) for each metric. Both are class numbers, or floats for regression.
_METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda labels, predictions: np.mean(labels == predictions),  # sklearn's takes 50 times as long
    "f1": lambda labels, predictions: sklearn.metrics.f1_score(labels, predictions, zero_division=0.0),
    "macro_f1": lambda labels, predictions: sklearn.metrics.f1_score(
        labels, predictions, average="macro", zero_division=0.0
    ),
    "matthews": sklearn.metrics.matthews_corrcoef,
    "pearson": lambda labels, predictions: _correlation(scipy.stats.pearsonr, labels, predictions),
    "spearman": lambda labels, predictions: _correlation(scipy.stats.spearmanr, labels, predictions),
}

_BOOTSTRAP_SAMPLES = 1000


def _correlation(function, labels, predictions) -> float:
    """Returns a correlation, or 0 instead of NaN where either side is constant."""
    if len(labels) < 2 or np.ptp(labels) == 0 or np.ptp(predictions) == 0:
        return 0.0
    return float(function(labels, predictions).statistic)


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """Returns the softmax of logits `[examples, classes]`; a regression's numbers `[examples, 1]` stay as they are."""
    return logits if logits.shape[-1] == 1 else scipy.special.softmax(logits, axis=-1)


def predictions_of(logits: np.ndarray) -> np.ndarray:
    """Returns the class of each row of logits `[examples, classes]`, or the number if there is one column."""
    return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(axis=1)


def compute(names: Sequence[str], labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Returns the named metrics of logits `[examples, classes]`."""
    predictions = predictions_of(logits)
    return {name: float(_METRICS[name](labels, predictions)) for name in names}


def bootstrap(
    name: str,
    labels: np.ndarray,
    logits: np.ndarray,
    other_logits: np.ndarray | None = None,
    seed: int = 0,
    confidence: float = 0.95,
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
    """
    rng, metric = np.random.default_rng(seed), _METRICS[name]
    ours = predictions_of(logits)
    theirs = None if other_logits is None else predictions_of(other_logits)
    values = []
    for _ in range(_BOOTSTRAP_SAMPLES):
        drawn = rng.integers(len(labels), size=len(labels))
        value = metric(labels[drawn], ours[drawn])
        values.append(value if theirs is None else value - metric(labels[drawn], theirs[drawn]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
