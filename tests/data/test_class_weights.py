"""Weights of uneven classes."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from tinybert_tf.data.class_weights import class_weights
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError

TASK = Task("files", ("fine", "complaint", "a=b"), ("accuracy",), {})
LABELS = np.array([0] * 6 + [1] * 3 + [2])


def test_balanced_weights_are_scikit_learns():
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    found = class_weights(TASK, LABELS, ("balanced",))
    np.testing.assert_allclose(found, theirs, rtol=1e-6)
    assert found[LABELS].mean() == pytest.approx(1)


def test_a_class_without_examples_has_no_weight():
    assert class_weights(TASK, np.array([0, 1]), ("balanced",)).tolist() == pytest.approx([2 / 3, 2 / 3, 0])


def test_of_several_labels_each_is_weighed_against_the_others():
    task = Task("files", ("often", "rare"), ("micro_f1",), {}, multi_label=True)
    labels = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], np.float32)
    assert class_weights(task, labels, ("balanced",)).tolist() == pytest.approx([1 / 3, 3])
    assert class_weights(task, labels[:3], ("balanced",)).tolist() == pytest.approx([1 / 3, 2])  # all have the first


def test_weights_by_name():
    assert class_weights(TASK, LABELS, ("complaint=5", "a=b=0.5")).tolist() == [1, 5, 0.5]
    assert class_weights(TASK, LABELS, ()) is None


@pytest.mark.parametrize("given", ["balance", "complaints=5", "fine", "fine=x", "fine=-1", "fine=inf", "fine=nan"])
def test_weights_that_do_not_fit_are_refused(given):
    with pytest.raises(InputError, match=r"^class_weights: got "):
        class_weights(TASK, LABELS, (given,))


def test_numbers_have_no_classes():
    with pytest.raises(InputError, match="the labels are numbers"):
        class_weights(Task("files", ("score",), ("pearson",), {}), np.array([1.5]), ("balanced",))
