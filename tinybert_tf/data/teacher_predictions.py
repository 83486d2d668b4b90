"""A teacher's answers as files: JSON lines that name a text or a training row; several files are an ensemble."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Columns, content_of, shown
from tinybert_tf.data.shard_files import files_of
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.teacher_answers import AnswerReader
from tinybert_tf.errors import InputError
from tinybert_tf.files import json_row

_FLAG = "teacher_predictions"
SHARDS = "predictions"  # what the names of shards begin with
_SAME = 1e-3  # answers that differ by less are one: a batch of another length changes the fifth decimal


def text_keys(examples: Examples) -> list[str]:
    """Returns what finds the answer to each example: its texts, however many spaces there are."""
    pairs = examples.text_pairs or [None] * len(examples)
    return [_key(*texts) for texts in zip(examples.texts, pairs)]


def read_teacher_predictions(
    files: Sequence[str],
    task: Task,
    examples: Examples,
    columns: Columns = Columns(),  # noqa: B008, it is frozen
    names: Sequence[str] = (),
    refuse: bool = False,
) -> dict[str, np.ndarray]:
    """Returns a teacher's answers to examples by `text_keys`: probabilities or a number, float64 `[classes]`.

    A text that several files answer gets the mean. Rows that cannot be read, whose label the task lacks, or that
    answer one text differently within a file are left out, and so are those of other texts; all are counted.

    Args:
        files: Paths of JSON lines, or of folders of shards of them, each of which counts as one file.
        task: The task, whose training examples `id` counts from 0.
        examples: The texts that are to be answered.
        columns: Names of the texts' columns, which rows may have in place of `text` and `text_pair`.
        names: Names of the classes in the order of lists, see `AnswerReader`.
        refuse: Whether the first row that cannot be used is an error.

    Raises:
        InputError: A file cannot be read, has more rows that cannot be used than others, or answers no example.
    """
    places = _Places.of(task, examples, columns)
    reader, found = AnswerReader(task, names), {}
    for path in files:
        for key, answer in _File(path, places, reader, refuse).answers().items():
            found.setdefault(key, []).append(answer)
    if some := sum(len(answers) < len(files) for answers in found.values()):
        logging.info("%d texts have answers in some of the %d files only: the mean is of these.", some, len(files))
    return {key: np.mean(answers, axis=0) for key, answers in found.items()}


def with_labels(answers: dict[str, np.ndarray], examples: Examples, task: Task, weight: float) -> dict[str, np.ndarray]:
    """Returns answers that labels take part in: a text without an answer has its label for one.

    Args:
        answers: A teacher's answers, from `read_teacher_predictions`.
        examples: Examples with or without labels; a text that occurs with several labels has their mean.
        task: The task.
        weight: Share of the label in the answer to a text that has both.
    """
    if examples.labels is None:
        return answers
    rows = examples.labels if task.multi_label else examples.labels[:, None]
    if not task.multi_label and not task.is_regression:
        rows = np.eye(len(task.labels))[examples.labels]
    own = {}
    for key, row in zip(text_keys(examples), rows.astype(np.float64)):
        own.setdefault(key, []).append(row)
    own = {key: np.mean(found, axis=0) for key, found in own.items()}
    mixed = {key: (1 - weight) * answers[key] + weight * row for key, row in own.items() if key in answers}
    return own | answers | mixed


@dataclasses.dataclass(frozen=True)
class _Places:
    """Which texts there are.

    Args:
        wanted: Keys of the examples that are to be answered.
        evaluated: Keys of the texts of dev and test.
        by_id: Key of each training example by its id, as text.
        columns: Names of the texts' columns.
        takes_pairs: Whether examples have a second text.
    """

    wanted: set[str]
    evaluated: set[str]
    by_id: dict[str, str]
    columns: Columns
    takes_pairs: bool

    @classmethod
    def of(cls, task: Task, examples: Examples, columns: Columns) -> "_Places":
        train = task.split("train")
        ids = range(len(train)) if train.ids is None else train.ids
        evaluated = {key for name, part in task.splits.items() if name != "train" for key in text_keys(part)}
        by_id = dict(zip(map(str, ids), text_keys(train)))
        return cls(set(text_keys(examples)), evaluated, by_id, columns, train.text_pairs is not None)

    def key_of(self, row: dict) -> str | None:
        """Returns the key of a row's text; None for an id that no training example has."""
        columns = self.columns
        text = row.get(columns.text, row.get("text"))
        pair = row.get(columns.text_pair or "text_pair", row.get("text_pair"))
        if text is None and row.get("id") is not None:
            return self.by_id.get(str(row["id"]))
        if not isinstance(text, str):
            raise InputError(_FLAG, f"no text among {shown(row)}", f"{columns.text!r}, or the 'id' of a training row")
        if self.takes_pairs != isinstance(pair, str):
            got, expected = ("a text alone", "pairs") if self.takes_pairs else ("a pair", "texts alone")
            raise InputError(_FLAG, got, f"{expected}, as the task has")
        return _key(text, pair if self.takes_pairs else None)


class _File:
    """One file of answers, or one folder of shards; takes the arguments of `read_teacher_predictions`."""

    def __init__(self, path: str, places: _Places, reader: AnswerReader, refuse: bool):
        self.path, self.places, self.reader, self.refuse = path, places, reader, refuse
        self.counts, self.first = Counter(), None

    def answers(self) -> dict[str, np.ndarray]:
        """Reads the file."""
        found, torn = {}, set()
        for path, number, line in self._lines():
            try:
                key, answer = self._row(line)
                if key is None:
                    continue
                if not np.allclose(found.setdefault(key, answer), answer, rtol=_SAME, atol=_SAME):
                    torn.add(key)
                    expected = "one answer per text; those of several annotators are the list 'labels' of one row"
                    raise InputError(_FLAG, "another answer to the text of an earlier row", expected)
                self.counts["good"] += 1
            except InputError as error:
                self._leave_out(path, number, error)
        self._check(found)
        return {key: answer for key, answer in found.items() if key not in torn}

    def _lines(self) -> Iterator[tuple[str, int, str]]:
        """Yields file, number and text of each line that is not empty."""
        for path in files_of(self.path, SHARDS, _FLAG):
            for number, line in enumerate(content_of(path, _FLAG).split("\n"), 1):
                if line.strip():
                    yield path, number, line

    def _row(self, line: str) -> tuple[str | None, np.ndarray | None]:
        """Returns a row's key and answer; None and None for a text that needs no answer."""
        row = json_row(line)
        if row is None:
            raise InputError(_FLAG, f"{line[:40]!r}", "one JSON object per line")
        key = self.places.key_of(row)
        if key not in self.places.wanted:
            self.counts["evaluated" if key in self.places.evaluated else "unknown"] += 1
            return None, None
        return key, self.reader.read(row)

    def _leave_out(self, path: str, number: int, error: InputError) -> None:
        self.counts["bad"] += 1
        self.first = self.first or InputError(_FLAG, f"{path}, row {number}: {error.got}", error.expected)
        if self.refuse:
            raise self.first

    def _check(self, found: dict) -> None:
        """Says what was read and left out.

        Raises:
            InputError: Too little is left.
        """
        counts = self.counts
        if counts["bad"] > counts["good"]:
            more = f", and {counts['bad'] - 1} more of {counts.total()} rows" if counts["bad"] > 1 else ""
            raise InputError(_FLAG, self.first.got + more, self.first.expected)
        if not found:
            got = f"{self.path} with {counts.total()} rows, none of them of a text that is learned from"
            raise InputError(_FLAG, got, "the texts of the training examples, word for word")
        logging.info(
            "%s: answers to %d texts. Left out: %d rows of dev or test texts, %d of texts that are not learned from.",
            *(self.path, len(found), counts["evaluated"], counts["unknown"]),
        )
        if counts["bad"]:
            message = "Left out: %d rows that cannot be used; the first is %s; expected %s."
            logging.warning(message, counts["bad"], self.first.got, self.first.expected)


def _key(text: str, text_pair: str | None) -> str:
    return "\x00".join(" ".join(part.split()) for part in (text, text_pair) if part is not None)
