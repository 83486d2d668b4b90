"""The report by class."""

import numpy as np
import pytest

from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation.by_class import ClassReport


def report(labels, predictions, names=("fine", "complaint", "praise"), **options):
    task = Task("files", tuple(names), ("accuracy",), {}, **options)
    logits = np.eye(len(names))[predictions] if not options else np.array(predictions) - 0.5
    return ClassReport.of(task, np.array(labels), logits)


def test_a_rare_class_that_is_never_found_is_named_first():
    found = report([0] * 18 + [1, 2], [0] * 20)
    share, recall = found.lines()
    assert share == "90.00 % of the examples are fine, the most"
    assert recall == "Recall, lowest first: complaint 0.00 of 1, praise 0.00 of 1, fine 100.00 of 18"
    assert found.rows()[0] == {
        **{"label": "fine", "examples": 18, "predicted": 20},
        **{"precision": 0.9, "recall": 1.0, "f1": pytest.approx(36 / 38)},
    }
    assert found.rows()[1] == {
        **{"label": "complaint", "examples": 1, "predicted": 0, "precision": None, "recall": 0.0, "f1": 0.0}
    }


def test_classes_that_are_alike_are_not_listed():
    assert report([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 0]).lines() == []


def test_a_class_without_examples_has_no_recall():
    found = report([0, 0, 0, 1], [0, 0, 0, 2])
    assert found.rows()[2]["recall"] is None and "praise" not in " ".join(found.lines()[1:])


def test_of_many_classes_the_worst_are_shown():
    names = [f"c{i}" for i in range(150)]
    labels = np.arange(150).repeat(2)
    predictions = np.where(labels < 30, 149, labels)
    lines = report(labels, predictions, names).lines()
    assert max(map(len, lines)) <= 90
    assert " ".join(lines).count(" 0.00 of 2") == 20 and lines[-1].endswith(", … (150 classes)")


def test_several_labels_per_text_are_counted_class_by_class():
    labels = [[1, 0], [1, 1], [1, 0], [1, 0]]
    found = report(labels, [[1, 0], [1, 0], [1, 1], [1, 0]], ("often", "rare"), multi_label=True)
    assert found.counts.tolist() == [[4, 1], [4, 1], [4, 0]]
    assert found.lines()[0] == "100.00 % of the examples are often, the most"
