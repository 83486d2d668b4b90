"""A corpus as records: documents that are tokenized already, in shards that are read at any position.

`--stage=corpus` writes them. A folder of records has `records.json`, which is written last, and a folder per shard with
`tokens.npy`, the ids of all documents one after another, and `offsets.npy`, where each document begins and the last
one ends. The held-out documents of a shard come first.
"""

import dataclasses
import hashlib
import itertools
import json
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinybert_tf.data.documents import BadLines
from tinybert_tf.errors import InputError
from tinybert_tf.files import json_text, path_of, read_json
from tinybert_tf.tokenizer import BertTokenizer

RECORDS_FILE, SHARDS = "records.json", "shards"
TOKENS, OFFSETS = "tokens.npy", "offsets.npy"
VERSION = 1
WINDOW_TOKENS = 1 << 20  # about the 4 MiB that a window of text has
_CHUNK_BYTES = 1 << 20
_SLICE_TOKENS = 1 << 20  # whose places, 8 bytes each, are in memory together


@dataclasses.dataclass(frozen=True)
class ShardFacts:
    """What is known of a shard without reading it.

    Args:
        documents: Number of documents.
        held_out: How many of them are held out; they come first.
        tokens: Number of tokens, those of held-out documents among them.
        held_out_tokens: How many of them are of held-out documents.
        duplicates: Documents that were left out because an earlier one has the same text.
        crc32: CRC-32 of each file, by its name.
    """

    documents: int
    held_out: int
    tokens: int
    held_out_tokens: int
    duplicates: int
    crc32: dict[str, int]


class Piece(NamedTuple):
    """Documents of a shard that follow each other: from `first` on, without `last`."""

    shard: int
    first: int
    last: int


class Records:
    """Documents of a folder of records, in windows that may be read in any order.

    Args:
        folder: The folder.

    Attributes:
        shards: What is known of each shard.
        left_out: Always empty, as is `bad_lines`: what was left out is in the record of the run that wrote the folder.

    Raises:
        InputError: The folder holds no whole records; or, while reading, a file is damaged.
    """

    def __init__(self, folder: Path):
        self.folder, self.left_out, self.bad_lines = folder, set(), BadLines()
        self._content = read_json(folder / RECORDS_FILE, "corpus")
        version = self._content.get("version")
        if version != VERSION:
            raise InputError("corpus", f"{folder} with records of version {version!r}", f"version {VERSION}")
        try:
            self._tokenizer = dict(self._content["tokenizer"])
            self.shards = [ShardFacts(**facts) for facts in self._content["shards"]]
        except (KeyError, TypeError, ValueError):
            got = f"{folder / RECORDS_FILE}, which lacks what it should say"
            raise InputError("corpus", got, "the file that --stage=corpus wrote") from None
        self._whole: set[int] = set()
        for number in range(len(self.shards)):
            self._open(number)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of what `records.json` says, the checksums of all files among it."""
        return hashlib.sha256(json_text(self._content).encode()).hexdigest()

    def check(self, tokenizer: BertTokenizer) -> None:
        """Refuses a tokenizer other than the one that the records were made with.

        Raises:
            InputError: It is another one.
        """
        ours, theirs = tokenizer_facts(tokenizer), self._tokenizer
        if ours != theirs:
            names = [name for name in ours if theirs.get(name) != ours[name]]
            differs = ", ".join(f"{name} {theirs.get(name)!s:.8} and not {ours[name]!s:.8}" for name in names)
            expected = "records of the model's tokenizer: --stage=corpus with --teacher=MODEL makes them from text"
            raise InputError("corpus", f"{self.folder}, records of another tokenizer ({differs})", expected)

    def windows(self) -> list[list[Piece]]:
        """Returns the training documents, cut into windows of about a million tokens each."""
        sizes = [facts.tokens - facts.held_out_tokens for facts in self.shards]
        ends = np.cumsum(sizes)
        number = max(1, round(int(ends[-1]) / WINDOW_TOKENS))
        cuts = [self._document_at(ends, sizes, k * int(ends[-1]) // number) for k in range(1, number)]
        cuts = [(0, self.shards[0].held_out), *cuts, (len(sizes) - 1, self.shards[-1].documents)]
        found = [self._between(*pair) for pair in itertools.pairwise(cuts)]
        return [pieces for pieces in found if pieces]

    def held_out(self, tokens: int) -> list[Piece]:
        """Returns held-out documents that have this many tokens together, or all of them."""
        pieces = []
        for number, facts in enumerate(self.shards):
            if facts.held_out and tokens > 0:
                offsets, _ = self._open(number)
                last = min(facts.held_out, int(np.searchsorted(offsets[: facts.held_out + 1], tokens)) + 1)
                pieces.append(Piece(number, 0, last))
                tokens -= int(offsets[last])
        return pieces

    def tokens_of(self, pieces: list[Piece], rng: np.random.Generator) -> np.ndarray:
        """Returns the tokens of documents in random order, one document after another.

        Raises:
            InputError: A shard is damaged.
        """
        read = [self._read(piece) for piece in pieces]
        tokens = np.concatenate([tokens for tokens, _ in read])
        sizes = np.concatenate([sizes for _, sizes in read])
        return gathered(tokens, sizes, rng.permutation(len(sizes)))

    def _read(self, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        """Returns the tokens of a piece and the number of each document's tokens, as copies: no file stays mapped."""
        self._verify(piece.shard)
        offsets, tokens = self._open(piece.shard)
        offsets = np.array(offsets[piece.first : piece.last + 1])
        return np.array(tokens[offsets[0] : offsets[-1]]), np.diff(offsets)

    def _document_at(self, ends: np.ndarray, sizes: list[int], token: int) -> tuple[int, int]:
        """Returns (shard, document) of the first document that begins at this token or later."""
        number = int(np.searchsorted(ends, token, side="right"))
        facts, offsets = self.shards[number], self._open(number)[0]
        local = token - (int(ends[number]) - sizes[number]) + facts.held_out_tokens
        return number, max(facts.held_out, int(np.searchsorted(offsets, local)))

    def _between(self, begin: tuple[int, int], end: tuple[int, int]) -> list[Piece]:
        pieces = []
        for number in range(begin[0], end[0] + 1):
            facts = self.shards[number]
            first = begin[1] if number == begin[0] else facts.held_out
            last = end[1] if number == end[0] else facts.documents
            pieces += [Piece(number, first, last)] if first < last else []
        return pieces

    def _open(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns a shard's offsets and tokens, mapped and not read.

        Raises:
            InputError: A file is missing, or has another size.
        """
        facts, folder = self.shards[number], shard_folder(self.folder, number)
        arrays = []
        for name, size in ((OFFSETS, facts.documents + 1), (TOKENS, facts.tokens)):
            try:
                arrays.append(np.load(folder / name, mmap_mode="r" if size else None))
            except Exception as error:  # a damaged header raises what NumPy's parsers of it happen to
                raise _damaged(folder / name, " ".join(str(error).split())[:100]) from None
            if arrays[-1].shape != (size,):
                raise _damaged(folder / name, f"{arrays[-1].shape} numbers instead of {size}")
        return arrays[0], arrays[1]

    def _verify(self, number: int) -> None:
        """Compares the checksums of a shard, when it is first read."""
        if number in self._whole:
            return
        for name, expected in self.shards[number].crc32.items():
            file = shard_folder(self.folder, number) / name
            if crc32_of(file) != expected:
                raise _damaged(file, "another checksum")
        self._whole.add(number)


def records_folder(sources) -> Path | None:
    """Returns the folder of records that a corpus's sources name; None if they name text.

    Raises:
        InputError: The folder is unfinished, or stands beside other sources.
    """
    folders = [path for path in (path_of(source) for source in sources) if path.is_dir()]
    records = [folder for folder in folders if (folder / RECORDS_FILE).exists()]
    if not records:
        unfinished = next((folder for folder in folders if (folder / SHARDS).is_dir()), None)
        if unfinished:
            raise InputError("corpus", f"{unfinished}, an unfinished run", "one that --stage=corpus has finished")
        return None
    if len(sources) > 1:
        raise InputError("corpus", ",".join(sources), f"{records[0]} alone: records are a whole corpus")
    return records[0]


def tokenizer_facts(tokenizer: BertTokenizer) -> dict:
    """Returns what makes a tokenizer give the same ids: its rules, and the size and SHA-256 of its vocabulary."""
    digest = hashlib.sha256(json.dumps(tokenizer.vocabulary).encode()).hexdigest()
    return {"vocabulary_size": len(tokenizer.vocabulary), **tokenizer.normalization, "vocabulary": digest}


def shard_folder(folder: Path, number: int) -> Path:
    """Returns the folder of a shard of records."""
    return folder / SHARDS / f"{number:05d}"


def gathered(tokens: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Returns the tokens of documents in another order.

    Args:
        tokens: Tokens of all documents, one after another.
        sizes: Number of tokens of each document.
        order: Places of the documents in the new order; it may leave some out.
    """
    starts, sizes = (np.cumsum(sizes) - sizes)[order], sizes[order]
    ends = np.cumsum(sizes)
    moved = starts - (ends - sizes)
    made = np.empty(ends[-1] if len(ends) else 0, tokens.dtype)
    first = begin = 0
    while first < len(ends):
        last = max(first + 1, int(np.searchsorted(ends, begin + _SLICE_TOKENS, side="right")))
        end = int(ends[last - 1])
        made[begin:end] = tokens[np.repeat(moved[first:last], sizes[first:last]) + np.arange(begin, end)]
        first, begin = last, end
    return made


def crc32_of(file: Path) -> int:
    """Returns the CRC-32 of a file; it does not hold the file in memory."""
    value = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            value = zlib.crc32(chunk, value)
    return value


def _damaged(file: Path, found: str) -> InputError:
    return InputError("corpus", f"{file}, which is damaged ({found})", "the file that --stage=corpus wrote")
