"""A teacher's answers in files: their forms, the texts that they find, and what is left out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Columns
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.teacher_predictions import read_teacher_predictions, text_keys, with_labels
from tinybert_tf.errors import InputError

TRAIN = ["one film", "two films", "three  films", "four films"]


def task_of(labels=("bad", "good"), train=None, multi_label=False):
    kinds = {1: float, len(labels): int}
    values = np.array([0, 1, 1, 0], kinds[len(labels)])
    values = np.eye(len(labels))[values] if multi_label else values
    splits = {"train": train or Examples(TRAIN, None, values), "dev": Examples(["five films"], None, values[:1])}
    return Task("mine", labels, ("accuracy",), splits, multi_label=multi_label)


@pytest.fixture
def read(tmp_path):
    """A function that reads rows, of one file or several, as the answers to a task's training examples."""

    def found(*files, task=None, columns=Columns(), **options):  # noqa: B008, it is frozen
        task = task or task_of()
        for number, rows in enumerate(files):
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            (tmp_path / f"{number}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        paths = [str(tmp_path / f"{number}.jsonl") for number in range(len(files))]
        train = task.split("train")
        answers = read_teacher_predictions(paths, task, train, columns, **options)
        return [answers[key].tolist() if key in answers else None for key in text_keys(train)]

    return found


@pytest.mark.parametrize(
    "answer, expected",
    [
        ({"probabilities": {"good": 0.9, "bad": 0.1}}, [0.1, 0.9]),
        ({"probabilities": {"GOOD": 1}}, [0, 1]),
        ({"probabilities": [0.25, 0.75]}, [0.25, 0.75]),
        ({"probabilities": {"good": 0.66, "bad": 0.33}}, [1 / 3, 2 / 3]),
        ({"logits": {"good": 0.0, "bad": np.log(3)}}, [0.75, 0.25]),
        ({"logits": [1000.0, -1000.0]}, [1, 0]),
        ({"label": "good"}, [0, 1]),
        ({"label": " Good "}, [0, 1]),
        ({"labels": ["good", "bad", "good", "good"]}, [0.25, 0.75]),
        ({"probabilities": None, "labels": None, "label": "bad"}, [1, 0]),
        ({"label": "bad", "probabilities": {"good": 0.6, "bad": 0.4}}, [0.4, 0.6]),  # the fuller answer
        ({"prediction": "good", "label": "bad", "logits": [0.0, 0.0]}, [0.5, 0.5]),  # of --stage=evaluate
    ],
)
def test_the_forms_of_an_answer(read, answer, expected):
    assert read([{"text": "one film"} | answer])[0] == pytest.approx(expected)


def test_lists_are_in_the_order_of_teacher_labels(read):
    row = {"text": "one film", "probabilities": [0.9, 0.1]}
    assert read([row], names=("good", "bad"))[0] == pytest.approx([0.1, 0.9])
    row = {"text": "one film", "probabilities": {"LABEL_0": 0.9, "LABEL_1": 0.1}}
    assert read([row], names=("good", "bad"))[0] == pytest.approx([0.1, 0.9])
    assert read([row])[0] == pytest.approx([0.9, 0.1])
    with pytest.raises(InputError, match=r"^teacher_labels: got 2 labels, up, down; expected the 2 of mine"):
        read([row], names=("up", "down"))


def test_classes_may_be_numbers(read):
    rows = [{"text": text, "label": label} for text, label in zip(TRAIN, (1, 0.0, "1", "0.0"))]
    answers = read(rows, task=task_of(("0", "1")))
    assert answers == [[0, 1], [1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    "answer, expected",
    [
        ({"label": ["a", "c"]}, [1, 0, 1]),
        ({"labels": ["b"], "probabilities": {"a": 0.9, "b": 0.8, "c": 0.0}}, [0.9, 0.8, 0]),  # of --stage=predict
        ({"labels": []}, [0, 0, 0]),
        ({"labels": [["a"], ["a", "b"], [], ["a"]]}, [0.75, 0.25, 0]),
        ({"logits": [0, np.log(3), -np.log(3)]}, [0.5, 0.75, 0.25]),
    ],
)
def test_any_number_of_labels(read, answer, expected):
    task = task_of(("a", "b", "c"), multi_label=True)
    assert read([{"text": "one film"} | answer], task=task)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "answer, expected", [({"score": 2.5}, 2.5), ({"label": "3"}, 3), ({"labels": [1, 2]}, 1.5), ({"logits": [7]}, 7)]
)
def test_numbers(read, answer, expected):
    assert read([{"text": "one film"} | answer], task=task_of(("score",)))[0] == pytest.approx([expected])


def test_texts_are_found_whatever_their_spaces_and_rows_by_their_id(read):
    rows = [{"text": "three films\n", "label": "good"}, {"id": 0, "label": "bad"}, {"id": "3", "label": "good"}]
    assert read(rows) == [[1, 0], None, [0, 1], [0, 1]]
    train = Examples(TRAIN, None, np.zeros(4, int), ids=[9, 8, 7, 6])  # places in a file whose other rows are dev
    assert read([{"id": 8, "label": "good"}], task=task_of(train=train)) == [None, [0, 1], None, None]


def test_pairs_are_found_by_both_texts_under_either_name(read):
    task = task_of(train=Examples(["a", "a"], ["b", "c"], np.zeros(2, int)))
    columns = Columns("first", "second")
    rows = [{"first": "a", "second": "c", "label": "good"}, {"text": "a", "text_pair": "b", "label": "bad"}]
    assert read(rows, task=task, columns=columns) == [[1, 0], [0, 1]]
    for rows, expected in (([{"text": "a"}], "a text alone; expected pairs"), ([{"text_pair": "a"}], "no text among")):
        with pytest.raises(InputError, match=expected):
            read(rows, task=task)
    with pytest.raises(InputError, match="row 1: a pair; expected texts alone"):
        read([{"text": "one film", "text_pair": "b"}])


def test_several_files_are_an_ensemble(read, caplog):
    files = ([{"text": text, "probabilities": [p, 1 - p]} for text in TRAIN[:2]] for p in (0.2, 0.8, 0.8))
    with caplog.at_level("INFO", "absl"):
        answers = read(*files, [{"text": "two films", "label": "good"}])
    assert answers[0] == pytest.approx([0.6, 0.4]) and answers[1] == pytest.approx([0.45, 0.55])
    assert "1 texts have answers in some of the 4 files only" in caplog.text


def test_rows_of_other_texts_and_rows_that_cannot_be_used_are_counted(read, caplog):
    good = [{"text": text, "label": "good"} for text in TRAIN]
    odd = [{"text": "five films", "label": "good"}, {"text": "six", "label": "x"}, {"id": 99, "label": "good"}]
    bad = [{"text": "one film", "label": "neutral"}, "no JSON"]
    with caplog.at_level("INFO", "absl"):
        assert read(good + odd + bad + ["", good[0]]) == [[0, 1]] * 4
    assert "answers to 4 texts. Left out: 1 rows of dev or test texts, 2 of texts that are not learned" in caplog.text
    (line,) = [line for line in caplog.messages if "cannot be used" in line]
    assert line.startswith("Left out: 2 rows that cannot be used; the first is ")
    assert line.endswith("0.jsonl, row 8: the label 'neutral'; expected one of bad, good.")
    with pytest.raises(InputError, match=r"0\.jsonl, row 8: the label 'neutral'; expected one of bad, good"):
        read(good + odd + bad, refuse=True)


def test_a_text_with_two_answers_in_a_file_has_none(read):
    rows = [{"text": text, "probabilities": [0.5, 0.5]} for text in TRAIN]
    close = {"text": "one film", "probabilities": [0.50001, 0.49999]}
    assert read([*rows, close]) == [[0.5, 0.5]] * 4
    other = {"text": "one film", "label": "bad"}
    assert read([*rows, other]) == [None, *[[0.5, 0.5]] * 3]
    with pytest.raises(InputError, match="row 5: another answer to the text of an earlier row; expected one answer"):
        read([*rows, other], refuse=True)


@pytest.mark.parametrize(
    "answer, expected",
    [
        ({"probabilities": {"good": 0.9, "bad": 0.2}}, "numbers of 0 or more whose sum is 1"),
        ({"probabilities": {"good": 1.2, "bad": -0.2}}, "numbers of 0 or more whose sum is 1"),
        ({"probabilities": {"good": float("nan"), "bad": 1}}, "got .*row 1: nan; expected a number"),
        ({"logits": [float("inf"), 0]}, "row 1: inf; expected a number"),
        ({"probabilities": [True, False]}, "row 1: True; expected a number"),
        ({"probabilities": [1.0]}, "1 numbers; expected 2, in the order bad, good"),
        ({"probabilities": "good"}, "one for each of bad, good"),
        ({"logits": {"good": 1.0}}, "one for each of bad, good"),
        ({"probabilities": {"good": 0.5, "fine": 0.5}}, "the label 'fine'; expected one of bad, good"),
        ({"label": True}, "the label True; expected one of bad, good"),
        ({"label": ["good"]}, "those of several annotators are labels"),
        ({"labels": "good"}, "the labels 'good'; expected a list"),
        ({"labels": []}, "no labels; expected one or more"),
        ({"answer": "good"}, "no answer among text, answer; expected one of probabilities, logits, labels, label"),
    ],
)
def test_what_is_no_answer(read, answer, expected):
    with pytest.raises(InputError, match=f"^teacher_predictions: .*{expected}"):
        read([{"text": "one film"} | answer])


def test_files_that_cannot_be_used(read, tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl .No such file"):
        read_teacher_predictions([str(tmp_path / "none.jsonl")], task_of(), task_of().split("train"))
    with pytest.raises(InputError, match="with 1 rows, none of them of a text that is learned from"):
        read([{"text": "five films", "label": "good"}])
    with pytest.raises(InputError, match="row 2: the label 'x', and 1 more of 3 rows; expected one of bad, good"):
        read([{"text": text, "label": label} for text, label in zip(TRAIN, ("good", "x", "y"))])


def test_labels_take_part_by_their_weight_and_stand_in_for_answers():
    task = task_of()
    train = task.split("train").take(np.array([0, 1, 1]))
    answers = {"one film": np.array([0.4, 0.6]), "five films": np.array([0.5, 0.5])}
    found = with_labels(answers, train, task, 0.5)
    assert {key: row.tolist() for key, row in found.items()} == {
        "one film": pytest.approx([0.7, 0.3]),
        "two films": [0, 1],
        "five films": [0.5, 0.5],
    }
    np.testing.assert_array_equal(with_labels(answers, train, task, 0.0)["one film"], answers["one film"])
    assert with_labels(answers, Examples(TRAIN), task, 0.5) is answers
    twice = Examples(["one film", "one  film"], None, np.array([0, 1]))
    np.testing.assert_array_equal(with_labels({}, twice, task, 0.5)["one film"], [0.5, 0.5])


def test_the_guides_example_writes_a_file_that_goes_in(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    guide = Path(__file__).parents[2] / "docs" / "teacher_predictions.md"
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "texts.csv").write_text("\n".join(["text", *TRAIN]), encoding="utf-8")
    replies = iter(["Positive.", "positive", "negative\n", "I cannot", "no", "?", *["negative"] * 6])
    exec(compile(code, guide.name, "exec"), {"ask": lambda prompt: next(replies)})
    replies = iter(["negative"] * 3)  # the second text has no answer yet
    exec(compile(code, guide.name, "exec"), {"ask": lambda prompt: next(replies)})
    rows = (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = read(rows, task=task_of(("negative", "positive")))
    np.testing.assert_allclose(answers, [[1 / 3, 2 / 3], [1, 0], [1, 0], [1, 0]])
