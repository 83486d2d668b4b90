"""A task's texts without labels, for a teacher to answer: read, and without those that are known already."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Columns, content_of, read_table
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.text import key_of
from tinybert_tf.errors import InputError

_TABLES = (".csv", ".tsv", ".jsonl", ".json")


def read_texts(path: str, columns: Columns, argument: str) -> tuple[list[str], list[str] | None]:
    """Returns the texts of a file, and their second texts or None: the columns of a table, or one text per line.

    Args:
        path: Path that ends in .csv, .tsv, .jsonl or .json, or of a text file.
        columns: Names of the columns, in a table.
        argument: Name of the argument that errors blame.

    Raises:
        InputError: The file cannot be read.
    """
    if Path(path).suffix.lower() in _TABLES:
        columns = dataclasses.replace(columns, label="", labels_may_lack=True)
        table = read_table(path, columns, argument)
        return table.texts, table.text_pairs
    content = content_of(path, argument).replace("\r\n", "\n").replace("\r", "\n")
    return content.removesuffix("\n").split("\n") if content else [], None


@dataclasses.dataclass(frozen=True)
class Unlabelled:
    """Texts that a task did not have.

    Args:
        examples: The texts, or pairs of texts.
        evaluated: Number of texts that were left out because dev or test has the same letters and digits.
        known: Number that were left out because the training examples or an earlier line have them, or have none.
    """

    examples: Examples
    evaluated: int
    known: int


def read_unlabelled(files: Sequence[str], columns: Columns, task: Task) -> Unlabelled:
    """Reads texts, and leaves out those that the task has.

    Args:
        files: Paths, as for `read_texts`.
        columns: Names of the columns, in tables.
        task: The task.

    Raises:
        InputError: A file cannot be read, has pairs where the task has single texts or the reverse, or has no new text.
    """
    takes_pairs = task.split("train").text_pairs is not None
    evaluated, known = set(), {""}
    for name, examples in task.splits.items():
        (known if name == "train" else evaluated).update(map(_key, *_columns(examples)))
    found, counts = [], {"evaluated": 0, "known": 0}
    for file in files:
        texts, pairs = read_texts(file, columns, "unlabeled_file")
        if takes_pairs != (pairs is not None):
            got, expected = ("pairs", "texts alone") if pairs else ("texts alone", "pairs, from --text_pair_column")
            raise InputError("unlabeled_file", f"{file} with {got}", f"{expected}, as {task.name} has")
        for row in zip(texts, pairs or [None] * len(texts)):
            key = _key(*row)
            if key in evaluated or key in known:
                counts["evaluated" if key in evaluated else "known"] += 1
                continue
            known.add(key)
            found.append(row)
    if not found:
        raise InputError("unlabeled_file", f"{', '.join(files)} without a text that {task.name} lacks", "other texts")
    texts, pairs = map(list, zip(*found))
    return Unlabelled(Examples(texts, pairs if takes_pairs else None), **counts)


def _columns(examples: Examples) -> tuple[list[str], list]:
    return examples.texts, examples.text_pairs or [None] * len(examples)


def _key(text: str, text_pair: str | None) -> str:
    keys = [key_of(text)] + ([] if text_pair is None else [key_of(text_pair)])
    return "\x00".join(keys) if any(keys) else ""
