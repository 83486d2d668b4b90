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

from tinybert_tf.errors import InputError
from tinybert_tf.files import NOT_JSON, path_of

SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can write half a pair, UTF-8 cannot
_MISSING = {"nan", "-nan", "<na>", "#n/a"}  # what pandas and spreadsheets write for a missing value

csv.field_size_limit(1 << 30)  # texts may be longer than the 128 KiB that Python expects


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns hold what, "" for none; `labels_may_lack` is for files that are only predicted on.

    `label_separator` stands between several labels in one field, "" where a text has one label.
    """

    text: str = "text"
    text_pair: str = ""
    label: str = "label"
    labels_may_lack: bool = False
    label_separator: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Content of a file: texts, second texts or None, labels as text or None, and each example's row in the file.

    A label is a tuple where the file gives a text any number of labels.
    """

    path: Path
    argument: str
    texts: list[str]
    text_pairs: list[str] | None
    labels: list[str] | list[tuple[str, ...]] | None
    rows: list[int]

    @property
    def has_label_sets(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.labels is not None and isinstance(self.labels[0], tuple)


def read_table(path: str, columns: Columns, argument: str = "train_file", content: str | None = None) -> Table:
    """Reads a file, whose name tells its kind.

    Args:
        path: Path that ends in .csv, .tsv, .jsonl or .json.
        columns: Names of the columns to read.
        argument: Name of the argument that errors blame.
        content: Text of the file, if it is known already.

    Raises:
        InputError: The file, a column or a row cannot be used; the message names file and row.
    """
    file = path_of(path)
    read = {".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".json": _jsonl}.get(file.suffix.lower())
    if read is None:
        raise InputError(argument, str(path), "a file named .csv, .tsv or .jsonl")
    has_labels, texts, pairs, labels, rows = None, [], [], [], []
    for number, row in read(content_of(path, argument) if content is None else content, path, argument):
        if has_labels is None:
            has_labels = bool(columns.label) and (columns.label in row or not columns.labels_may_lack)
            if (
                columns.label
                and not has_labels
                and columns.label.casefold() in {name.strip().casefold() for name in row}
            ):
                got = f"{columns.label!r}, which {path} writes otherwise"
                raise InputError("label_column", got, f"one of {shown(row)}")
        texts.append(_text(row, columns.text, "text_column", path, number))
        if columns.text_pair:
            pairs.append(_text(row, columns.text_pair, "text_pair_column", path, number))
        if has_labels:
            labels.append(_label(row, columns, read is _jsonl, path, number))
            if type(labels[-1]) is not type(labels[0]):
                got = f"{path}, row {number}, with the label {row[columns.label]!r}"
                raise InputError("label_column", got, "a list of labels in all rows or in none")
        elif columns.label and columns.label in row:
            got = f"{path}, row {number}, with {columns.label!r}, which row {rows[0]} lacks"
            raise InputError("label_column", got, "labels in all rows or in none")
        rows.append(number)
    if not texts:
        raise InputError(argument, f"{path} without any row", "labelled texts")
    return Table(file, argument, texts, pairs if columns.text_pair else None, labels if has_labels else None, rows)


def content_of(path: str, argument: str) -> str:
    """Returns the text of a file in UTF-8, of which a byte order mark is no part; errors blame `argument`."""
    try:
        content = path_of(path).read_bytes()
    except OSError as error:
        raise InputError(argument, f"{path} ({error.strerror})", "a file") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(argument, f"{path}, line {line}, with bytes {content[error.start :][:4]!r}", "UTF-8") from None


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
            header = [name.strip() for name in row]
            if len(set(header)) < len(header):
                raise InputError(argument, f"{path} with header {shown(header)}", "every column name once")
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
        except NOT_JSON as error:
            reason = getattr(error, "msg", error)
            raise InputError(argument, f"{path}, row {number} ({reason})", "one JSON object per line") from None
        if not isinstance(row, dict):
            raise InputError(argument, f"{path}, row {number}: {line[:40]!r}", "one JSON object per line")
        yield number, row


def _text(row: dict, column: str, argument: str, path, number: int) -> str:
    if column not in row:
        raise InputError(argument, f"{column!r}, which {path}, row {number} lacks", f"one of {shown(row)}")
    if not isinstance(row[column], str):
        raise InputError(argument, f"{path}, row {number}: {column!r} of {type(row[column]).__name__}", "a text")
    if SURROGATE.search(row[column]):
        raise InputError(argument, f"{path}, row {number}: {column!r} with half a surrogate pair", "Unicode")
    return row[column]


def _label(row: dict, columns: Columns, in_json: bool, path, number: int) -> str | tuple[str, ...]:
    """Returns a row's label; several labels, as a JSON list or between separators, are a tuple."""
    if columns.label not in row:
        raise InputError("label_column", f"{columns.label!r}, which {path}, row {number} lacks", f"one of {shown(row)}")
    label = row[columns.label]
    if isinstance(label, list):
        return tuple(_label_name(part, in_json, path, number) for part in label)
    if columns.label_separator:
        parts = label.split(columns.label_separator) if isinstance(label, str) else [label]
        parts = [part for part in parts if part != "" and not str(part).isspace()]
        return tuple(_label_name(part, in_json, path, number) for part in parts)
    return _label_name(label, in_json, path, number)


def _label_name(label, in_json: bool, path, number: int) -> str:
    text = str(label).strip()
    got = f"{path}, row {number}, with the label {label!r}"
    if not in_json and text.lower() in _MISSING:
        expected = "a class or a number: so a missing one is written (.jsonl can have a class of that name)"
        raise InputError("label_column", got, expected)
    no_number = isinstance(label, float) and not math.isfinite(label)  # JSON's bare NaN
    if not isinstance(label, str | int | float) or isinstance(label, bool) or no_number or not text:
        raise InputError("label_column", got, "a class or a number")
    if len(text.splitlines()) > 1:
        raise InputError("label_column", got, "a class in one line")
    if SURROGATE.search(text):
        raise InputError("label_column", f"{path}, row {number}: a label with half a surrogate pair", "Unicode")
    return text


def shown(names: Iterable[str]) -> str:
    """Returns some names in one line, cut short: where a file has no header they are texts."""
    names = [" ".join(name.split())[:40] for name in names]
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
