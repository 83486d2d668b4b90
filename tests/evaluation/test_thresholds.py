"""The threshold of each class: found by comparison with every one there is."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tinybert_tf.evaluation.thresholds import best_cuts


def best_f1(logits, has):
    """The best F1 of all thresholds, one after another."""
    return max(f1_score(has, logits >= cut, zero_division=0) for cut in (*logits, 0.0))


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_has_a_better_f1(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((200, 3)) < [0.5, 0.2, 0.1]).astype(int)
    logits = np.round(rng.normal(size=(200, 3)) + 2 * labels - [0, 1, 3], 1).astype(np.float32)  # some are equal
    cuts = best_cuts(logits, labels)
    assert cuts.dtype == np.float64
    for column, has, cut in zip(logits.T, labels.T, cuts):
        assert cut not in column
        assert f1_score(has, column >= cut) == best_f1(column, has)


def column(*values):
    """The same numbers five times, as logits or labels of one class."""
    return np.repeat(values, 5)[:, None]


def test_a_class_that_is_never_sure_is_found():
    assert best_cuts(column(-3.0, -1.0, -5.0, -1.5, -4.0), column(0, 1, 0, 1, 0)) == [-2.25]


@pytest.mark.parametrize("has", [[0, 0, 0], [1, 1, 0], [1, 1, 1]])
def test_one_half_stays_where_nothing_is_better(has):
    assert best_cuts(column(2.0, 1.0, -1.0 + 2 * has[2]), column(*has)) == [0.0]


def test_one_half_stays_for_a_class_of_nine_texts():
    logits = np.where(np.arange(50) < 10, -1.0, -3.0)[:, None]
    for texts, cut in ((9, 0.0), (10, -2.0)):
        assert best_cuts(logits, (np.arange(50) < texts).astype(int)[:, None]) == [cut]


@pytest.mark.parametrize("lowest", [-2.0, -1.0])
def test_where_all_texts_have_a_class_none_is_at_its_threshold(lowest):
    assert best_cuts(column(lowest, -1.0), column(1, 1)) == [lowest - 0.5]
