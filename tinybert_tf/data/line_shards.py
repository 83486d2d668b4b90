"""Texts of one or many files, cut into shards at line ends: a worker reads the bytes of its shard alone."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tinybert_tf.data.files import Columns, read_table
from tinybert_tf.data.text import ends_of, files_named
from tinybert_tf.errors import InputError

_TABLES = (".csv", ".tsv", ".json")  # whose rows may span lines, or that are one value


class LineShards:
    """Texts in the order of their files and lines, as shards of about the same number of bytes.

    Args:
        pattern: Path or glob of .jsonl files, whose rows are objects, or of text files with one text per line.
        columns: Names of the texts in the objects.
        num_shards: Number of shards; with more than there are lines, some are empty.
        argument: Name of the argument that errors blame.

    Attributes:
        has_pairs: Whether there are second texts.

    Raises:
        InputError: There is no such file, it cannot be cut at lines, or it is empty; or, while reading, a line is bad.
    """

    def __init__(self, pattern: str, columns: Columns, num_shards: int, argument: str = "input_file"):
        self.argument, self.num_shards = argument, num_shards
        self._columns = dataclasses.replace(columns, label="", labels_may_lack=True)
        self.files = [file.absolute() for file in files_named(pattern)]
        if not self.files:
            raise InputError(argument, f"{pattern!r}, which is not a file", ".jsonl or .txt files")
        kinds = {file.suffix.lower() for file in self.files}
        if kinds & {*_TABLES, ".gz"}:
            raise InputError(argument, f"{pattern} with a --runner", ".jsonl or .txt files, which can be cut at lines")
        if len(kinds) > 1:
            raise InputError(argument, f"{pattern}, files named {', '.join(sorted(kinds))}", "files of one kind")
        self._in_json = kinds == {".jsonl"}
        self.has_pairs = self._in_json and bool(columns.text_pair)
        self._sizes = [file.stat().st_size for file in self.files]
        if not sum(self._sizes):
            raise InputError(argument, f"{pattern} without any text", "texts")

    def fingerprint(self) -> str:
        """Returns the SHA-256 of every file's name, size, first and last mebibyte."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(os.fsencode(file.name) + ends_of(file))
        return digest.hexdigest()

    def read(self, number: int) -> tuple[list[str], list[str] | None]:
        """Returns the texts of a shard, and their second texts or None."""
        texts, pairs = [], []
        for file, begin, end in self._ranges(number):
            found = self._texts(file, begin, end)
            texts += found[0]
            pairs += found[1] or []
        return texts, pairs if self.has_pairs else None

    def _ranges(self, number: int) -> Iterator[tuple[Path, int, int]]:
        """Yields (file, first byte, last byte + 1); the lines that begin there make up the shard."""
        total = sum(self._sizes)
        begin, end = (total * k // self.num_shards for k in (number, number + 1))
        for file, size in zip(self.files, self._sizes):
            if begin < size and end > 0:
                yield file, max(0, begin), min(size, end)
            begin, end = begin - size, end - size

    def _texts(self, file: Path, begin: int, end: int) -> tuple[list[str], list[str] | None]:
        with file.open("rb") as stream:
            begin, end = (_line_after(stream, place) for place in (begin, end))
            stream.seek(begin)
            content = stream.read(end - begin)
        where = str(file) if not begin else f"from byte {begin} of {file}"
        try:
            text = content.decode("utf-8" if begin else "utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(self.argument, f"{where} ({error})", "a text file in UTF-8") from None
        if self._in_json:
            if not text.strip():
                return [], None
            table = read_table(where, self._columns, self.argument, text)
            return table.texts, table.text_pairs
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # as text files are read elsewhere
        return text.removesuffix("\n").split("\n") if text else [], None


def _line_after(stream, place: int) -> int:
    """Returns where the first line begins that does not begin before a place."""
    if place == 0:
        return 0
    stream.seek(place - 1)
    stream.readline()
    return stream.tell()
