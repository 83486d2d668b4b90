"""Each baseline on tasks whose answer is known."""

import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.baselines import MAJORITY, TFIDF, baselines

GOOD, BAD = ["a fine film", "fine story", "it is fine"], ["a dull film", "dull story", "it is dull"]


def task_of(texts, labels, classes, pairs=None, **kwargs):
    return Task("mine", classes, ("accuracy",), {"train": Examples(texts, pairs, np.array(labels))}, **kwargs)


def test_words_decide():
    found = baselines(task_of([*GOOD, *BAD, *BAD], [1] * 3 + [0] * 6, ("bad", "good")), Examples(["fine", "dull", ""]))
    assert found[TFIDF].argmax(1).tolist() == [1, 0, 0]
    np.testing.assert_allclose(np.exp(found[TFIDF]).sum(1), 1, rtol=1e-9)
    np.testing.assert_allclose(np.exp(found[MAJORITY]), [[6 / 9, 3 / 9]] * 3, rtol=1e-9)


def test_characters_decide_where_there_are_no_blanks():
    texts, labels = ["这部电影很好", "故事很好看", "这部电影很差", "故事很差劲"], [1, 1, 0, 0]
    found = baselines(task_of(texts, labels, ("bad", "good")), Examples(["演员很好", "演员很差"]))
    assert found[TFIDF].argmax(1).tolist() == [1, 0]


def test_the_second_text_of_a_pair_decides():
    found = baselines(
        task_of(["film"] * 6, [1] * 3 + [0] * 3, ("bad", "good"), pairs=GOOD + BAD), Examples(["film"], ["dull"])
    )
    assert found[TFIDF].argmax(1).tolist() == [0]


def test_a_class_without_examples_is_never_the_answer():
    found = baselines(task_of(GOOD + BAD, [2] * 3 + [0] * 3, ("bad", "odd", "good")), Examples(["fine"]))
    assert found[TFIDF].argmax(1).tolist() == [2] and np.exp(found[TFIDF][0, 1]) < 1e-6


def test_several_labels_per_text():
    labels = np.array([[1, 0, 1]] * 3 + [[0, 1, 1]] * 3)  # every text has the third
    task = task_of(GOOD + BAD, labels, ("good", "bad", "film"), multi_label=True)
    found = baselines(task, Examples(["fine", "dull"]))
    assert metrics.predictions_of(found[TFIDF], multi_label=True).tolist() == [[1, 0, 1], [0, 1, 1]]
    np.testing.assert_allclose(1 / (1 + np.exp(-found[MAJORITY][0, :2])), 0.5, rtol=1e-9)


def test_numbers():
    task = task_of(GOOD + BAD, [5.0] * 3 + [1.0] * 3, ("score",))
    found = baselines(task, Examples(["fine", "dull"]))
    assert found[TFIDF].shape == (2, 1) and found[TFIDF][0, 0] > 3.5 and found[TFIDF][1, 0] < 2.5
    np.testing.assert_allclose(found[MAJORITY], 3.0)


@pytest.mark.parametrize("labels", [[1] * 6, None])
def test_nothing_to_learn_from(labels):
    task = Task(
        "mine", ("bad", "good"), ("accuracy",), {"train": Examples(GOOD + BAD, None, labels and np.array(labels))}
    )
    assert baselines(task, Examples(["fine"])) == {}
    assert baselines(Task("mine", ("bad", "good"), ("accuracy",), {}), Examples(["fine"])) == {}


def test_texts_without_a_word_have_a_majority():
    assert list(baselines(task_of(["!", "?"], [0, 1], ("bad", "good")), Examples(["fine"]))) == [MAJORITY]
