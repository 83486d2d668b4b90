"""Word vectors such as GloVe, and the words that are nearest to a word."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf import assets
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of

MOST_WORDS = 100_000  # the most frequent ones, as in the reference implementation; vectors of rare words are poor
_BLOCK = 256


class WordVectors:
    """Words, most frequent first, and their vectors.

    Args:
        words: The words.
        table: The vectors, `[words, width]`.
    """

    def __init__(self, words: Sequence[str], table: np.ndarray):
        self.words = list(words[:MOST_WORDS])
        table = np.asarray(table[:MOST_WORDS], np.float32)
        self.table = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
        self.places = {word: place for place, word in enumerate(self.words)}

    def fingerprint(self) -> str:
        """Returns the SHA-256 of words and vectors."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        digest.update(np.ascontiguousarray(self.table).data)
        return digest.hexdigest()

    @classmethod
    def load(cls, name: str, argument: str = "vectors") -> "WordVectors":
        """Loads the packaged "glove_6b_50d", a text file in GloVe's format, or a .npy beside a .txt of as many words.

        Raises:
            InputError: There are no such vectors, or the file is malformed; the message names the line.
        """
        if name in assets.VECTORS:
            return cls._packaged(assets.fetch(name))
        path = path_of(name)
        if not path.is_file():
            expected = f"{', '.join(assets.VECTORS)}, a .txt or a .npy"
            raise InputError(argument, f"{name!r}, which is not a file", expected)
        return cls._from_arrays(path, argument) if path.suffix == ".npy" else cls._from_text(path, argument)

    @classmethod
    def _packaged(cls, folder: Path) -> "WordVectors":
        import pyarrow.parquet

        index = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet").to_pydict()
        words = next(column for column in index.values() if isinstance(column[0], str))
        return cls(words, np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False))

    @classmethod
    def _from_arrays(cls, path: Path, argument: str) -> "WordVectors":
        words_path = path.with_suffix(".txt")
        try:
            table = np.load(path, mmap_mode="r", allow_pickle=False)
            words = words_path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except (OSError, ValueError) as error:
            raise InputError(argument, f"{path} ({error})", f"vectors, and their words in {words_path.name}") from None
        if table.ndim != 2 or len(table) != len(words):
            got = f"{path} of shape {table.shape} and {len(words)} words in {words_path.name}"
            raise InputError(argument, got, "one row per word")
        return cls(words, table)

    @classmethod
    def _from_text(cls, path: Path, argument: str) -> "WordVectors":
        words, rows = [], []
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                word, *values = _fields(line, len(rows[0]) if rows else None)
                if number == 1 and len(values) == 1:
                    continue  # word2vec's header: number of words, and width
                try:
                    row = np.array(values, np.float32)
                except ValueError:
                    row = np.zeros(0, np.float32)
                if not len(row) or (rows and len(row) != len(rows[0])):
                    width = len(rows[0]) if rows else "its"
                    raise InputError(argument, f"{path}, line {number}: {line[:40]!r}", f"a word and {width} numbers")
                words.append(word)
                rows.append(row)
                if len(words) == MOST_WORDS:
                    break
        if not words:
            raise InputError(argument, f"{path}, which is empty", "one word and its vector per line")
        return cls(words, np.stack(rows))

    def neighbours(self, words: Sequence[str], count: int) -> dict[str, list[str]]:
        """Returns up to `count` other words for each word, nearest first by cosine; none for unknown words."""
        known = [word for word in dict.fromkeys(words) if word in self.places]
        found = {word: [] for word in words}
        for begin in range(0, len(known), _BLOCK):
            block = known[begin : begin + _BLOCK]
            likeness = self.table[[self.places[word] for word in block]] @ self.table.T
            most = min(4 * count + 1, likeness.shape[1])  # some are numbers, dotted names, or the word itself
            top = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
            for word, places, values in zip(block, top, likeness):
                ranked = (self.words[place] for place in places[np.argsort(-values[places], kind="stable")])
                found[word] = [other for other in ranked if other != word and other.isalpha()][:count]
        return found


def _fields(line: str, width: int | None) -> list[str]:
    """Returns a line's word and `width` numbers. A word may contain spaces (". . ." in GloVe's 840B), but no number."""
    fields = line.rstrip().split(" ")
    extra = len(fields) - 1 - width if width else 0
    if extra > 0 and not any(_is_number(field) for field in fields[1 : extra + 1]):
        fields[: extra + 1] = [" ".join(fields[: extra + 1])]
    return fields


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
