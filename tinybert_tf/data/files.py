"""A user's own tables: CSV, TSV and JSONL, with errors that name the file and the row.

CSV follows RFC 4180 (quotes around fields, doubled inside). TSV has no quoting at all, like GLUE's files: a `"` is
a `"`, and a field holds neither tab nor line break. JSONL has one object per line. All files are UTF-8; CSV and TSV
have a header row.
"""

import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")

csv.field_size_limit(1 << 30)  # texts may be longer than the 128 KiB that Python expects


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns hold what, "" for none; `labels_may_lack` is for files that are only predicted on."""

    text: str = "text"
    text_pair: str = ""
    label: str = "label"
    labels_may_lack: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """Content of a file: texts, second texts or None, labels as text or None, and each example's row in the file."""

    path: Path
    argument: str
    texts: list[str]
    text_pairs: list[str] | None
    labels: list[str] | None
    rows: list[int]


def read_table(path: str, columns: Columns, argument: str = "train_file") -> Table:
    """Reads a file, whose name tells its kind.

    Args:
        path: Path that ends in .csv, .tsv, .jsonl or .json.
        columns: Names of the columns to read.
        argument: Name of the argument that errors blame.

    Raises:
        InputError: The file, a column or a row cannot be used; the message names file and row.
    """
    file = Path(path).expanduser()
    readers = {".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".json": _jsonl}
    if file.suffix.lower() not in readers:
        raise InputError(argument, str(path), "a file named .csv, .tsv or .jsonl")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(argument, f"{path} ({error.strerror})", "a file") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(argument, f"{path}, line {line}, with bytes {content[error.start :][:4]!r}", "UTF-8") from None
    has_labels, texts, pairs, labels, rows = None, [], [], [], []
    for number, row in readers[file.suffix.lower()](text, path, argument):
        if has_labels is None:
            has_labels = bool(columns.label) and (columns.label in row or not columns.labels_may_lack)
        texts.append(_text(row, columns.text, "text_column", path, number))
        if columns.text_pair:
            pairs.append(_text(row, columns.text_pair, "text_pair_column", path, number))
        if has_labels:
            labels.append(_label(row, columns.label, path, number))
        elif columns.label and columns.label in row:
            got = f"{path}, row {number}, with {columns.label!r}, which row {rows[0]} lacks"
            raise InputError("label_column", got, "labels in all rows or in none")
        rows.append(number)
    if not texts:
        raise InputError(argument, f"{path} without any row", "labelled texts")
    return Table(file, argument, texts, pairs if columns.text_pair else None, labels if has_labels else None, rows)


def label_names(table: Table) -> tuple[str, ...]:
    """Returns the classes of a training table: integers in the order of their value, other labels by name.

    Raises:
        InputError: There are fewer than two classes, or the labels are numbers with fractions.
    """
    if table.labels is None:
        raise InputError(table.argument, f"{table.path} without labels", "labelled texts")
    names = sorted(set(table.labels))
    if len(names) < 2:
        raise InputError(table.argument, f"{table.path} with the one label {', '.join(names)!r}", "two classes or more")
    fraction = next((i for i, label in enumerate(table.labels) if _number(label) is not None and "." in label), None)
    if fraction is not None and all(_number(name) is not None for name in names):
        got = f"{table.path}, row {table.rows[fraction]}, with the number {table.labels[fraction]} as label"
        raise InputError(table.argument, got, "classes, or --regression for numbers")
    whole = all(name.removeprefix("-").isdecimal() for name in names)
    return tuple(sorted(names, key=int) if whole else names)


def to_examples(table: Table, labels: tuple[str, ...] | None) -> Examples:
    """Returns a table's examples, with labels as numbers.

    Args:
        table: Content of the file.
        labels: The classes, or None for regression.

    Raises:
        InputError: A label is not among the classes, or is not a number.
    """
    if table.labels is None:
        return Examples(table.texts, table.text_pairs, None, list(range(len(table.texts))))
    numbers = []
    place = {name: i for i, name in enumerate(labels or ())}
    for label, row in zip(table.labels, table.rows):
        number = _number(label) if labels is None else place.get(label)
        if number is None:
            known = _shown(labels or ())
            expected = "a number" if labels is None else f"a label of the training file: {known}"
            raise InputError(table.argument, f"{table.path}, row {row}, with the label {label!r}", expected)
        numbers.append(number)
    kind = np.float32 if labels is None else np.int64
    return Examples(table.texts, table.text_pairs, np.array(numbers, kind), list(range(len(numbers))))


def _csv(text: str, path, argument: str) -> Iterator[tuple[int, dict]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    yield from _delimited(reader, path, argument, lambda: reader.line_num)


def _tsv(text: str, path, argument: str) -> Iterator[tuple[int, dict]]:
    lines = text.removesuffix("\n").split("\n") if text else []
    rows = (line.rstrip("\r").split("\t") if line.rstrip("\r") else [] for line in lines)
    yield from _delimited(rows, path, argument, None)


def _delimited(rows, path, argument: str, line) -> Iterator[tuple[int, dict]]:
    """Yields the rows under a header; a CSV row may span lines, so `line` says where the reader is."""
    number, header = 0, None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            # The line in which the row begins: an open quote runs to the end of the file.
            raise InputError(argument, f"{path}, line {number + 1} ({error})", "CSV with closed quotes") from None
        if row is None:
            return
        number = line() if line else number + 1
        if not row:
            continue
        if header is None:
            header = row
            if len(set(header)) < len(header):
                raise InputError(argument, f"{path} with header {_shown(header)}", "every column name once")
            continue
        if len(row) != len(header):
            got = f"{path}, row {number}, with {len(row)} fields"
            raise InputError(argument, got, f"{len(header)}, as in the header")
        yield number, dict(zip(header, row))


def _jsonl(text: str, path, argument: str) -> Iterator[tuple[int, dict]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(argument, f"{path}, row {number} ({error.msg})", "one JSON object per line") from None
        if not isinstance(row, dict):
            raise InputError(argument, f"{path}, row {number}: {line[:40]!r}", "one JSON object per line")
        yield number, row


def _text(row: dict, column: str, argument: str, path, number: int) -> str:
    if column not in row:
        raise InputError(argument, f"{column!r}, which {path}, row {number} lacks", f"one of {_shown(row)}")
    if not isinstance(row[column], str):
        raise InputError(argument, f"{path}, row {number}: {column!r} of {type(row[column]).__name__}", "a text")
    if _SURROGATE.search(row[column]):  # JSON can write one, UTF-8 cannot
        raise InputError(argument, f"{path}, row {number}: {column!r} with half a surrogate pair", "Unicode")
    return row[column]


def _label(row: dict, column: str, path, number: int) -> str:
    if column not in row:
        raise InputError("label_column", f"{column!r}, which {path}, row {number} lacks", f"one of {_shown(row)}")
    label = row[column]
    text = str(label).strip()
    if not isinstance(label, str | int | float) or isinstance(label, bool) or not text:
        raise InputError("label_column", f"{path}, row {number}, with the label {label!r}", "a class or a number")
    return text


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _shown(names: Iterable[str]) -> str:
    """Returns some names in one line, cut short: where a file has no header they are texts."""
    names = [" ".join(name.split())[:40] for name in names]
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
