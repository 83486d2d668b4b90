"""A part of a corpus, tokenized: runs of documents, each sorted by the shard that the documents go to."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.data.records import gathered
from tinybert_tf.tokenizer import BertTokenizer

RUN_TOKENS, RUN_DOCUMENTS = 1 << 22, 1 << 18  # that are held in memory together
_BATCH_CHARACTERS, _BATCH_DOCUMENTS = 1 << 20, 4096  # that are tokenized together
_NAMES = ("keys", "sizes", "tokens", "starts")


def write_part(folder: Path, documents: Iterator[str], tokenizer: BertTokenizer, num_shards: int) -> int:
    """Writes the tokens of documents, with the first 16 bytes of each text's SHA-256; returns how many there were.

    Args:
        folder: Folder of the part, which exists.
        documents: The documents; one run of them is in memory at a time.
        tokenizer: The tokenizer.
        num_shards: Number of shards.
    """
    small = np.uint16 if len(tokenizer.vocabulary) <= 1 << 16 else np.int32
    run, count, number = [], 0, 0
    for keys, sizes, tokens in _tokenized(documents, tokenizer):
        run.append((keys, sizes, tokens.astype(small)))
        count += len(keys)
        if sum(len(part[2]) for part in run) >= RUN_TOKENS or sum(len(part[0]) for part in run) >= RUN_DOCUMENTS:
            _write_run(folder, number, run, num_shards)
            run, number = [], number + 1
    if run:
        _write_run(folder, number, run, num_shards)
    return count


def read_parts(folders: Sequence[Path], shard: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the documents of a shard in all parts: keys `[documents, 2]`, numbers of tokens, and all tokens."""
    found = [part for folder in folders for part in _read_part(folder, shard)]
    if not found:
        return np.zeros((0, 2), np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint16)
    keys, sizes, tokens = (np.concatenate(column) for column in zip(*found))
    return keys, sizes, tokens


def _tokenized(documents: Iterator[str], tokenizer: BertTokenizer) -> Iterator[tuple]:
    """Yields keys, numbers of tokens and tokens of some documents at a time."""
    for texts in _batches(documents):
        keys = b"".join(hashlib.sha256(text.encode()).digest()[:16] for text in texts)
        tokens = tokenizer.tokenize(texts)
        keys = np.frombuffer(keys, ">u8").astype(np.uint64).reshape(-1, 2)
        yield keys, tokens.row_lengths().numpy(), tokens.flat_values.numpy()


def _batches(documents: Iterator[str]) -> Iterator[list[str]]:
    texts, size = [], 0
    for text in documents:
        texts.append(text)
        size += len(text)
        if size >= _BATCH_CHARACTERS or len(texts) >= _BATCH_DOCUMENTS:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def _write_run(folder: Path, number: int, run: list[tuple], num_shards: int) -> None:
    keys, sizes, tokens = (np.concatenate(column) for column in zip(*run))
    shards = (keys[:, 1] % np.uint64(num_shards)).astype(np.int64)
    order = np.argsort(shards, kind="stable")
    sizes_in_order = sizes[order]
    counts = np.concatenate([[0], np.cumsum(np.bincount(shards, minlength=num_shards))])
    ends = np.concatenate([[0], np.cumsum(sizes_in_order)])
    starts = np.stack([counts, ends[counts]], axis=1)  # first document and first token of each shard
    for name, array in zip(_NAMES, (keys[order], sizes_in_order, gathered(tokens, sizes, order), starts)):
        np.save(_file(folder, number, name), array)


def _read_part(folder: Path, shard: int) -> Iterator[tuple]:
    """Yields keys, numbers of tokens and tokens of a shard's documents in each run, as copies: nothing stays mapped."""
    for number in itertools.count():
        if not _file(folder, number, "starts").exists():
            return
        keys, sizes, tokens, starts = (np.load(_file(folder, number, name), mmap_mode="r") for name in _NAMES)
        (first, begin), (last, end) = starts[shard], starts[shard + 1]
        yield np.array(keys[first:last]), np.array(sizes[first:last]), np.array(tokens[begin:end])


def _file(folder: Path, number: int, name: str) -> Path:
    return folder / f"{number:05d}.{name}.npy"
