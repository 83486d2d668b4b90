"""Tasks: the order of their labels, their splits, and what checkpoints are chosen by."""

import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError


@pytest.fixture
def task():
    train = Examples(["a", "b", "c"], None, np.array([0, 1, 2]))
    return Task("toy", ("Red", "green", "blue"), ("accuracy",), {"train": train, "test": Examples(["d"])})


def test_a_models_labels_are_found_by_name(task):
    assert task.columns_of(["blue", "red", "green"]) == [1, 2, 0]
    assert task.columns_of(["Red", "green", "blue"]) == [0, 1, 2]


def test_labels_that_differ_in_case_alone_stay_apart():
    task = Task("toy", ("a", "A"), ("accuracy",), {})
    assert task.columns_of(["A", "a"]) == [1, 0]
    with pytest.raises(InputError, match="2 labels"):
        task.columns_of(["a", "a"])


@pytest.mark.parametrize("labels", [["red", "green"], ["red", "green", "white"], ["LABEL_0"], ["red", "red", "blue"]])
def test_other_labels_are_refused(task, labels):
    with pytest.raises(InputError, match=rf"teacher: got {len(labels)} labels, .*the 3 of toy: Red, green, blue$"):
        task.columns_of(labels)


def test_classes_without_names_have_the_tasks(task):
    unnamed = [f"LABEL_{i}" for i in range(3)]
    assert task.names_of(["blue", "red", "green"]) == ["blue", "red", "green"]
    assert task.names_of(unnamed) == ["Red", "green", "blue"]
    assert task.names_of(unnamed, ["blue", "green", "red"]) == ["blue", "green", "red"]
    assert task.names_of(["rot", "grün", "blau"], ("red", "green", "blue")) == ["red", "green", "blue"]
    numbers = Task("toy", ("1", "2", "0"), ("accuracy",), {})
    assert numbers.names_of(unnamed) == ["0", "1", "2"]
    stars = Task("toy", ("1", "2", "3"), ("accuracy",), {})
    assert stars.names_of(unnamed) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "labels, given, message",
    [
        (["LABEL_0", "LABEL_1"], (), "^teacher: got 2 labels, LABEL_0, LABEL_1; expected the 3 of toy"),
        (["rot", "green", "blue"], (), "^teacher: got 3 labels, rot, green, blue"),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ("red", "green"), "^teacher_labels: got 2 labels, red, green"),
        (["red", "green", "blue"], ("blue", "green", "red"), "^teacher_labels: got blue, green, red; expected none"),
        (["a", "b"], ("red", "green", "blue"), "^teacher_labels: got 3 names, for the 2 classes of --teacher"),
    ],
)
def test_names_that_do_not_fit_are_refused(task, labels, given, message):
    with pytest.raises(InputError, match=message):
        task.names_of(labels, given)


def test_a_score_may_have_any_name():
    task = Task("toy", ("score",), ("pearson",), {})
    assert task.is_regression
    assert task.columns_of(["LABEL_0"]) == [0]
    with pytest.raises(InputError, match="2 labels"):
        task.columns_of(["a", "b"])


def test_results_are_of_dev_where_the_test_labels_are_secret(task):
    labelled, unlabelled = task.splits["train"], task.splits["test"]

    def report_split(**splits):
        return Task("toy", task.labels, ("accuracy",), splits).report_split

    assert report_split(dev=labelled, test=labelled) == "test"
    assert report_split(dev=labelled, test=unlabelled) == "dev"
    assert report_split(train=labelled, dev=labelled) == "dev"
    assert report_split(test=unlabelled) == "test"


def test_a_split_that_lacks_names_the_others(task):
    assert task.split("train") is task.splits["train"]
    with pytest.raises(InputError, match="teacher: got toy without dev examples; expected one of train, test"):
        task.split("dev", "teacher")


def test_the_fingerprint_sees_texts_and_labels(task):
    def changed(**changes):
        return Task("toy", task.labels, (), {"train": Examples(**{"texts": ["a"], "labels": np.array([0])} | changes)})

    prints = {
        changed().fingerprint(),
        changed(texts=["b"]).fingerprint(),
        changed(labels=np.array([1])).fingerprint(),
        changed(text_pairs=["a"]).fingerprint(),
        task.fingerprint(),
    }
    assert len(prints) == 5
    assert changed().fingerprint() == changed().fingerprint()


@pytest.mark.parametrize(
    "labels, options, metric, expected",
    [
        (("a", "b"), {}, "macro_f1", None),
        (("a", "b"), {}, "micro_f1", "accuracy, macro_f1"),
        (("a", "b"), {"multi_label": True}, "micro_f1", None),
        (("a", "b"), {"multi_label": True}, "accuracy", "micro_f1, macro_f1"),
        (("score",), {}, "mae", None),
        (("score",), {}, "accuracy", "pearson, spearman, mae"),
    ],
)
def test_checkpoints_are_chosen_by_a_metric_that_fits_the_labels(labels, options, metric, expected):
    task = Task("toy", labels, ("x",), {}, **options)
    assert task.chosen_by("") is task
    if expected is None:
        assert task.chosen_by(metric).choose_by == (metric,)
    else:
        with pytest.raises(InputError, match=f"metric: got {metric}, for toy; expected one of {expected}"):
            task.chosen_by(metric)
