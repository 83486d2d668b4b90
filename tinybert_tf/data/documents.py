"""Documents of one file of a corpus, as a stream: prose, or a field of CSV, TSV, JSON, JSONL or Parquet."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import logging

from tinybert_tf.errors import InputError
from tinybert_tf.files import NOT_JSON, json_row

MAX_DOCUMENT_CHARACTERS = 1 << 20  # a longer document is cut into several
_MOST_BAD = 100  # more than this and more than good ones: not some damaged lines, but another kind of file

csv.field_size_limit(1 << 30)  # texts may be longer than the 128 KiB that Python expects


class Bad(NamedTuple):
    """What was found in place of a text, and what was expected."""

    got: str
    expected: str


class BadLines:
    """The lines of a corpus's files that cannot be read: left out and counted, or refused.

    Args:
        refuse: Whether the first one is an error.

    Attributes:
        when_found: Called when the first one is left out.
    """

    def __init__(self, refuse: bool = False):
        self.refuse, self.when_found = refuse, lambda: None
        self._found: dict[Path | str, tuple[int, int]] = {}  # by file: the last one's number, and how many

    @property
    def count(self) -> int:
        """How many different lines have been left out so far, however often the files were read."""
        return sum(count for _, count in self._found.values())

    def good(self, file: Path | str, items: Iterator[tuple[int, str | Bad]], unit: str) -> Iterator[str]:
        """Yields the texts among the numbered items of a file.

        Args:
            file: The file, or the name of another source.
            items: The file's items: number, and text or what is wrong.
            unit: Word for an item, such as "line" or "row".

        Raises:
            InputError: An item is bad and bad ones are refused, or bad ones outnumber the good ones.
        """
        good = bad = 0
        first = None
        for number, item in items:
            if not isinstance(item, Bad):
                good += 1
                yield item
                continue
            bad += 1
            first = first or InputError("corpus", f"{file}, {unit} {number}: {item.got}", item.expected)
            if self.refuse:
                raise first
            self._note(file, number, first)
            if bad > max(good, _MOST_BAD):
                break
        if bad > good:
            more = f", and {bad - 1} more of {good + bad} {unit}s" if bad > 1 else ""
            raise InputError("corpus", first.got + more, first.expected)

    def _note(self, file: Path | str, number: int, first: InputError) -> None:
        last, count = self._found.get(file, (0, 0))
        if not self.count:
            self.when_found()
        if not count:
            logging.warning("Left out: %s; expected %s. The end of the run says how many.", first.got, first.expected)
        if number > last:
            self._found[file] = (number, count + 1)


def documents_of(file: Path, field: str, bad: BadLines) -> Iterator[str]:
    """Yields the documents of a file, whose name tells its kind; any may be compressed as .gz, except Parquet.

    Args:
        file: A .csv, .tsv, .json, .jsonl or .parquet file, whose rows are documents, or prose, in which an empty line
            ends a document.
        field: Column or key of the text.
        bad: Keeper of the lines that cannot be read.

    Raises:
        InputError: The file is damaged beyond a line, has no such column, or has a bad line that is refused.
    """
    name = file.name.lower()
    readers = {".csv": _csv, ".tsv": _tsv, ".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    reader = readers.get(Path(name.removesuffix(".gz")).suffix)
    if reader is None:
        return _paragraphs(bad.good(file, _prose(file), "line"))
    return bad.good(file, reader(file, field), "line" if reader is _jsonl else "row")


def lines_of(file: Path, most: int = -1) -> Iterator[tuple[int, str]]:
    """Yields (number, line) of a text file, plain or .gz; bytes that are not UTF-8 become lone surrogates.

    Args:
        file: The file.
        most: Characters of a line that come at a time, at most; -1 for all.

    Raises:
        InputError: The gzip file is damaged.
    """
    number, within = 0, False
    try:
        with _open(file) as stream:
            while line := stream.readline(most):
                number += not within
                within = not line.endswith("\n")
                yield number, line
    except _GZIP_ERRORS as error:
        raise InputError("corpus", f"{file}, after line {number} ({error})", "a whole gzip file") from None


_GZIP_ERRORS = (gzip.BadGzipFile, zlib.error, EOFError)


def _open(file: Path) -> io.TextIOBase:
    opener = gzip.open if file.suffix.lower() == ".gz" else open
    return opener(file, "rt", encoding="utf-8-sig", errors="surrogateescape")


def _field_of(row, field: str, whole: object) -> str | Bad:
    """Returns a text in an object; `whole` is shown if the object has none."""
    if not isinstance(row, dict) or field not in row:
        return Bad(repr(str(whole).strip()[:60]), f"an object with {field!r}")
    return _text(row[field], field)


def _text(value, field: str) -> str | Bad:
    return checked(value) if isinstance(value, str) else Bad(f"{field!r} of {type(value).__name__}", "a text")


def checked(text: str) -> str | Bad:
    """Returns a text, unless UTF-8 cannot hold it; bytes that were not UTF-8 are lone surrogates in it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        broken = text[error.start : min(error.end, error.start + 4)]
        if "\udc80" <= broken[0] <= "\udcff":
            return Bad(f"bytes {broken.encode('utf-8', 'surrogateescape')!r}", "UTF-8")
        return Bad(f"half a surrogate pair, {broken[0]!a}", "whole characters")
    return text


def _prose(file: Path) -> Iterator[tuple[int, str | Bad]]:
    for number, line in lines_of(file, MAX_DOCUMENT_CHARACTERS):
        yield number, checked(line)


def _paragraphs(lines: Iterator[str]) -> Iterator[str]:
    parts, size = [], 0
    for line in lines:
        if line.strip():
            parts.append(line)
            size += len(line)
        if parts and (not line.strip() or size >= MAX_DOCUMENT_CHARACTERS):
            yield "".join(parts)
            parts, size = [], 0
    if parts:
        yield "".join(parts)


def _jsonl(file: Path, field: str) -> Iterator[tuple[int, str | Bad]]:
    for number, line in lines_of(file):
        if not line.strip():
            continue
        yield number, _field_of(json_row(line), field, line)


def _json(file: Path, field: str) -> Iterator[tuple[int, str | Bad]]:
    """Reads a list of objects, or, as many write it, JSONL under this name."""
    first = next((line.lstrip() for _, line in lines_of(file, 1 << 10) if line.strip()), "")
    if not first.startswith("["):
        yield from _jsonl(file, field)
        return
    try:
        with _open(file) as stream:
            rows = json.load(stream)
    except _GZIP_ERRORS as error:
        raise InputError("corpus", f"{file} ({error})", "a whole gzip file") from None
    except NOT_JSON as error:
        raise InputError("corpus", f"{file} ({error})", "a JSON list of objects, or one object per line") from None
    for number, row in enumerate(rows, 1):
        yield number, _field_of(row, field, row)


def _csv(file: Path, field: str) -> Iterator[tuple[int, str | Bad]]:
    rows = csv.reader((line for _, line in lines_of(file)), strict=True)
    number = 0
    try:
        header = next(rows, [])
        place = _column(file, field, header)
        for number, row in enumerate(rows, 1):
            if row:
                yield number, _cell(row, place, field, len(header))
    except csv.Error as error:
        raise InputError("corpus", f"{file}, after row {number} ({error})", "CSV with quotes that close") from None


def _tsv(file: Path, field: str) -> Iterator[tuple[int, str | Bad]]:
    rows = (line.rstrip("\r\n").split("\t") for _, line in lines_of(file))
    header = next(rows, [])
    place = _column(file, field, header)
    for number, row in enumerate(rows, 1):
        if row != [""]:
            yield number, _cell(row, place, field, len(header))


def _column(file: Path, field: str, header: list[str]) -> int:
    if field not in header:
        expected = f"one of its columns: {', '.join(header)[:200]}" if header else "a header that names the columns"
        raise InputError("corpus_field", f"{field!r} for {file}", expected)
    return header.index(field)


def _cell(row: list[str], place: int, field: str, columns: int) -> str | Bad:
    if len(row) > columns:  # a text with a separator that nothing quotes would be cut
        return Bad(f"{len(row)} columns", f"{columns}, as in the header")
    return checked(row[place]) if place < len(row) else Bad(f"{len(row)} columns", f"{field!r} in column {place + 1}")


def _parquet(file: Path, field: str) -> Iterator[tuple[int, str | Bad]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            _column(file, field, table.schema_arrow.names)
            number = 0
            for batch in table.iter_batches(1024, columns=[field]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield number, _text(value, field)
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError("corpus", f"{file} ({reason})", "a whole Parquet file") from None
