"""The file of an augmentation: one JSON object per line, every original followed by its variants."""

import itertools
import json
from pathlib import Path

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of

FILE = "augmented.jsonl"


def line_of(source: int, text: str, text_pair: str | None) -> str:
    """Returns the line of a text; `source` is the place of its original among the training examples."""
    row = {"source": source, "text": text} | ({} if text_pair is None else {"text_pair": text_pair})
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_lines(file: Path) -> list[str]:
    """Returns the lines with their newlines. Only a newline ends a line: texts may hold Unicode's other line ends."""
    with file.open(encoding="utf-8", newline="\n") as stream:
        return stream.readlines()


def cut_to_whole_chunks(file: Path, chunk: int) -> int:
    """Cuts a file after its last whole chunk of originals; returns how many originals are left."""
    if not file.exists():
        return 0
    size = whole = done = 0
    with file.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            source = json.loads(line)["source"]
            if source // chunk * chunk > done:  # the first line of a chunk shows that the chunks before it are whole
                done, whole = source // chunk * chunk, size
            size += len(line)
    with file.open("r+b") as stream:
        stream.truncate(whole)
    return done


def read_augmented(folder: str, task: Task, original_share: float) -> tuple[Examples, np.ndarray]:
    """Returns the examples of an augmentation, and how often a pass shows each, `[examples]`.

    Args:
        folder: Folder of a finished augmentation, or its file.
        task: Task that it was made for. A variant has the label of its original.
        original_share: Share of originals in a pass, if the file has fewer.

    Raises:
        InputError: There is no such augmentation, or it was made for another task.
    """
    train = task.split("train")
    columns = {"source", "text"} | (set() if train.text_pairs is None else {"text_pair"})
    rows, firsts, repeats = rows_of(folder, columns, original_share)
    pairs = train.text_pairs or itertools.repeat(None)
    known = [(rows[place]["text"], rows[place].get("text_pair")) for place in firsts]
    if known != list(zip(train.texts, pairs)):
        got = f"{file_of(folder)}, made from other training examples"
        raise InputError("augmented", got, f"an augmentation of {task.name}")
    texts = [row["text"] for row in rows]
    text_pairs = None if train.text_pairs is None else [row["text_pair"] for row in rows]
    sources = [row["source"] for row in rows]
    labels = None if train.labels is None else train.labels[sources]
    return Examples(texts, text_pairs, labels), repeats


def rows_of(folder: str, columns: set[str], original_share: float) -> tuple[list[dict], np.ndarray, np.ndarray]:
    """Returns an augmentation's rows, the places of the originals, and how often a pass shows each row.

    Args:
        folder: Folder of a finished augmentation, or its file.
        columns: Keys that every row must have.
        original_share: Share of originals in a pass, if the file has fewer.

    Raises:
        InputError: There is no such augmentation, or a row lacks a key.
    """
    file = file_of(folder)
    if not file.is_file():
        raise InputError("augmented", f"{folder} without {FILE}", "a finished run of --stage=augment")
    rows = _rows(file, columns)
    sources = np.array([row["source"] for row in rows])
    firsts = np.flatnonzero(np.concatenate([[True], sources[1:] != sources[:-1]]))
    repeats, variants = np.ones(len(rows), int), len(rows) - len(firsts)
    repeats[firsts] = max(1, round(original_share / (1 - original_share) * variants / len(firsts)))
    return rows, firsts, repeats


def file_of(folder: str) -> Path:
    """Returns the file of an augmentation, which is named by its folder or itself."""
    file = path_of(folder)
    return file / FILE if file.is_dir() else file


def _rows(file: Path, columns: set[str]) -> list[dict]:
    rows = []
    for number, line in enumerate(read_lines(file), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if not isinstance(row, dict) or columns - row.keys():
            expected = f"an object with {', '.join(sorted(columns))}"
            raise InputError("augmented", f"{file}, line {number}: {line[:40].strip()!r}", expected)
        rows.append(row)
    return rows
