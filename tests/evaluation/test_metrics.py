"""Metrics against numbers worked out by hand."""

import functools
import math
import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from tinybert_tf.evaluation import metrics


def logits_of(predictions, classes=2):
    """Logits whose largest is that of the prediction."""
    return np.eye(classes)[predictions] * 3 - 1


LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0])
PREDICTIONS = [1, 1, 0, 1, 0, 0, 0, 0]  # 2 true positives, 1 false, 1 missed, 4 true negatives


@pytest.mark.parametrize(
    "name, expected",
    [
        ("accuracy", 6 / 8),
        ("f1", 2 / 3),  # of class 1: precision and recall are both 2/3
        ("macro_f1", (2 / 3 + 4 / 5) / 2),
        ("matthews", (2 * 4 - 1 * 1) / math.sqrt(3 * 3 * 5 * 5)),
    ],
)
def test_classes_by_hand(name, expected):
    assert metrics.compute([name], LABELS, logits_of(PREDICTIONS)) == {name: pytest.approx(expected)}


def test_macro_f1_counts_every_class_alike():
    labels, logits = np.array([0, 0, 0, 1, 2]), logits_of([0, 0, 0, 1, 1], classes=3)
    assert metrics.compute(["macro_f1"], labels, logits)["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


SETS = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], np.float32)
SET_LOGITS = np.array([[2.0, -1.0, -3.0], [0.1, 0.0, -1.0], [-1.0, -2.0, 4.0], [-0.5, -2.0, -0.1]])


def test_several_labels_per_text_by_hand():
    """Class 1 is found once of two times and once too often, class 2 once of two, class 3 once too often."""
    found = metrics.compute(["micro_f1", "macro_f1"], SETS, SET_LOGITS)
    assert found["micro_f1"] == pytest.approx(2 * 2 / (4 + 4))
    assert found["macro_f1"] == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert metrics.predictions_of(SET_LOGITS, True, 0.9).sum(axis=0).tolist() == [0, 0, 1]
    assert metrics.compute(["micro_f1"], SETS, SET_LOGITS, 0.3)["micro_f1"] == pytest.approx(2 * 3 / (4 + 6))


@pytest.mark.parametrize("name", ["micro_f1", "macro_f1"])
def test_f1_is_scikit_learns(name):
    rng = np.random.default_rng(0)
    for classes in (2, 5):
        labels, logits = rng.integers(0, classes, 60), rng.normal(size=(60, classes))
        theirs = sklearn.metrics.f1_score(labels, logits.argmax(1), average=name[:5], zero_division=0.0)
        assert metrics.compute([name], labels, logits)[name] == pytest.approx(theirs, rel=1e-12)
        sets = (rng.random((60, classes)) < 0.3).astype(np.float32)
        theirs = sklearn.metrics.f1_score(sets, logits > 0, average=name[:5], zero_division=0.0)
        assert metrics.compute([name], sets, logits)[name] == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("f1", functools.partial(sklearn.metrics.f1_score, zero_division=0.0)),
        ("matthews", sklearn.metrics.matthews_corrcoef),
    ],
)
def test_two_classes_are_as_in_scikit_learn(name, theirs):
    rng = np.random.default_rng(0)
    for size in (2, 7, 60):
        for _ in range(20):
            labels, logits = rng.integers(0, 2, size), rng.normal(size=(size, 2))
            with warnings.catch_warnings(action="ignore"):  # of draws that have one class
                expected = theirs(labels, logits.argmax(1))
            assert metrics.compute([name], labels, logits)[name] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_correlations_are_scipys(name):
    rng, theirs = np.random.default_rng(0), getattr(scipy.stats, f"{name}r")
    for size in (3, 7, 60):
        for scale in (1e-20, 1.0, 1e20):
            labels = (rng.permutation(size) // 2 * scale).astype(np.float32)  # pairs of them are equal
            logits = (labels + rng.normal(size=size) * scale).astype(np.float32)[:, None]
            expected = theirs(labels.astype(np.float64), logits[:, 0].astype(np.float64)).statistic
            assert metrics.compute([name], labels, logits)[name] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_answers_agree_in_all_classes_or_not_at_all():
    assert metrics.same_answers(np.array([0, 1]), np.array([0, 2])).tolist() == [True, False]
    assert metrics.same_answers(np.array([[0, 1], [1, 1]]), np.array([[0, 1], [1, 0]])).tolist() == [True, False]
    assert metrics.same_answers(np.zeros((0, 3)), np.zeros((0, 3))).tolist() == []


def test_micro_f1_of_one_label_per_text_is_accuracy():
    found = metrics.compute(["micro_f1", "accuracy"], LABELS, logits_of(PREDICTIONS))
    assert found["micro_f1"] == pytest.approx(found["accuracy"])


def test_losses_by_hand():
    logits = np.array([[0.0, math.log(3)], [0.0, 0.0]])
    assert metrics.loss_of(np.array([1, 0]), logits) == pytest.approx((-math.log(3 / 4) - math.log(1 / 2)) / 2)
    sets = np.array([[1, 1], [0, 0]], np.float32)
    assert metrics.loss_of(sets, logits) == pytest.approx((3 * math.log(2) - math.log(3 / 4)) / 4)
    assert metrics.loss_of(np.array([1.0, 3.0], np.float32), np.array([[2.0], [5.0]])) == pytest.approx(2.5)
    assert metrics.loss_of(np.array([0]), np.array([[0.0, 1e4]], np.float32)) == pytest.approx(1e4)


def test_an_error_counts_as_negative_and_has_a_unit():
    values = metrics.compute(["mae", "pearson"], np.array([10.0, 20.0]), np.array([[13.0], [21.0]]))
    assert values == {"mae": pytest.approx(2.0), "pearson": pytest.approx(1.0)}
    assert metrics.score_of(["mae"], values) == pytest.approx(-2.0)
    assert metrics.score_of(["mae", "pearson"], values) == pytest.approx(-0.5)
    assert (metrics.shown("mae", 2.0), metrics.shown("pearson", 0.5)) == ("2", "50.00")


def test_the_confusion_matrix_has_labels_in_rows():
    assert metrics.confusion(LABELS, np.array(PREDICTIONS), 3).tolist() == [[4, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_regression_by_hand():
    labels = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    logits = np.array([[1.0], [3.0], [2.0], [10.0]])
    found = metrics.compute(["pearson", "spearman"], labels, logits)
    # Deviations from the means: -1.5, -0.5, 0.5, 1.5 and -3, -1, -2, 6.
    assert found["pearson"] == pytest.approx((4.5 + 0.5 - 1 + 9) / math.sqrt(5 * 50))
    assert found["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_spearman_ranks_ties_in_the_middle():
    labels, logits = np.array([1.0, 2.0, 3.0]), np.array([[5.0], [5.0], [7.0]])  # ranks 1.5, 1.5, 3
    assert metrics.compute(["spearman"], labels, logits)["spearman"] == pytest.approx(math.sqrt(3) / 2)


@pytest.mark.parametrize("name", ["f1", "matthews"])
def test_one_class_for_everything_scores_nothing(name):
    assert metrics.compute([name], LABELS, logits_of([0] * 8)) == {name: 0.0}


@pytest.mark.parametrize("name", ["pearson", "spearman"])
@pytest.mark.parametrize("labels, predictions", [([1, 2, 3], [4, 4, 4]), ([2, 2, 2], [1, 2, 3]), ([1], [1])])
def test_no_order_is_no_correlation(name, labels, predictions):
    logits = np.array(predictions, np.float32)[:, None]
    assert metrics.compute([name], np.array(labels, np.float32), logits) == {name: 0.0}


def test_one_column_of_logits_is_the_number():
    assert metrics.predictions_of(np.array([[0.3], [-7.0]])).tolist() == [0.3, -7.0]
    assert metrics.predictions_of(np.array([[0.3, 0.2], [-7.0, 1.0]])).tolist() == [0, 1]


@pytest.fixture
def answers(monkeypatch):
    """400 labels, a model that is right on 80 %, and one that differs from it on few; 300 draws are enough."""
    monkeypatch.setattr(metrics, "_BOOTSTRAP_SAMPLES", 300)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    ours = np.where(rng.random(400) < 0.8, labels, 1 - labels)
    theirs = np.where(rng.random(400) < 0.03, 1 - ours, ours)
    return labels, logits_of(ours), logits_of(theirs)


def test_the_interval_is_that_of_a_share(answers):
    labels, ours, _ = answers
    share = metrics.compute(["accuracy"], labels, ours)["accuracy"]
    low, high = metrics.bootstrap("accuracy", labels, ours)
    assert low < share < high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(share * (1 - share) / 400), rel=0.15)
    narrow = metrics.bootstrap("accuracy", labels, ours, confidence=0.5)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.674 * math.sqrt(share * (1 - share) / 400), rel=0.2)


def test_the_paired_interval_is_that_of_the_difference_and_narrower(answers):
    labels, ours, theirs = answers
    low, high = metrics.bootstrap("accuracy", labels, ours, theirs)
    right = [(metrics.predictions_of(logits) == labels).astype(float) for logits in (ours, theirs)]
    difference = right[0] - right[1]
    assert low <= difference.mean() <= high
    assert high - low == pytest.approx(2 * 1.96 * difference.std() / math.sqrt(400), rel=0.2)
    alone = [metrics.bootstrap("accuracy", labels, logits, seed=seed) for seed, logits in enumerate((ours, theirs))]
    assert high - low < 0.5 * np.hypot(*(b - a for a, b in alone))


def test_an_interval_is_of_a_thousand_draws(monkeypatch):
    drawn = []
    monkeypatch.setitem(metrics._METRICS, "accuracy", lambda labels, predictions: drawn.append(labels) or 0.5)
    assert metrics.bootstrap("accuracy", LABELS, logits_of(PREDICTIONS)) == (0.5, 0.5)
    assert len(drawn) == 1000
    assert {len(labels) for labels in drawn} == {8}


def test_a_model_does_not_differ_from_itself(answers):
    labels, ours, _ = answers
    assert metrics.bootstrap("accuracy", labels, ours, ours) == (0, 0)


def test_the_seed_draws(answers):
    labels, ours, _ = answers
    assert metrics.bootstrap("accuracy", labels, ours) == metrics.bootstrap("accuracy", labels, ours)
    assert metrics.bootstrap("accuracy", labels, ours) != metrics.bootstrap("accuracy", labels, ours, seed=1)
