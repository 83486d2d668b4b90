"""Texts without labels: what is read, and what the task has already."""

import json

import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Columns
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.unlabelled import read_unlabelled
from tinybert_tf.errors import InputError


def task_of(pairs=False):
    def part(*texts):
        return Examples(list(texts), ["the same"] * len(texts) if pairs else None, np.zeros(len(texts), int))

    return Task(
        "mine",
        ("a", "b"),
        ("accuracy",),
        {"train": part("one film", "two"), "dev": part("three"), "test": part("four")},
    )


def test_tables_and_texts_are_joined_and_what_is_known_is_left_out(tmp_path):
    (tmp_path / "a.txt").write_text("One film!\nfive\n\n...\nTHREE\nfive.\n")
    (tmp_path / "b.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in ("four", "six\u2028seven", "five"))
    )
    found = read_unlabelled([str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")], Columns(), task_of())
    assert found.examples.texts == ["five", "six\u2028seven"] and found.examples.labels is None
    assert (found.evaluated, found.known) == (2, 5)


def test_pairs_are_known_by_both_texts(tmp_path):
    (tmp_path / "a.csv").write_text("text,other\none film,the same\none film,another\nthree,the same\n")
    found = read_unlabelled([str(tmp_path / "a.csv")], Columns(text_pair="other"), task_of(pairs=True))
    assert (found.examples.texts, found.examples.text_pairs) == (["one film"], ["another"])
    assert (found.evaluated, found.known) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content", "columns", "pairs", "message"),
    [
        (
            "a.csv",
            "text,other\na,b",
            Columns(text_pair="other"),
            False,
            "a.csv with pairs; expected texts alone, as mine",
        ),
        (
            "a.txt",
            "five\n",
            Columns(),
            True,
            "with texts alone; expected pairs, from --text_pair_column, as mine",
        ),
        ("a.txt", "two\n", Columns(), False, "a.txt without a text that mine lacks; expected other texts"),
        ("a.csv", "review\nfive\n", Columns(), False, "'text', which .*a.csv, row 2 lacks; expected one of review"),
        ("a.txt", b"\xff\n", Columns(), False, "a.txt, line 1, .* expected UTF-8"),
    ],
)
def test_what_cannot_be_used(tmp_path, name, content, columns, pairs, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_unlabelled([str(tmp_path / name)], columns, task_of(pairs))
