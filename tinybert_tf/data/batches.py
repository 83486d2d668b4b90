"""Batches of examples of similar length, in an order that depends on seed and step alone."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from tinybert_tf.data.examples import Examples
from tinybert_tf.tokenizer import BertTokenizer
from tinybert_tf.tokenizer.tokenizer import truncate_pair

POOL_BATCHES = 50  # shuffled batches that are sorted by length together
_CHUNK = 4096  # texts that are tokenized at a time


class Rows(Protocol):
    """Rows of tokens that can be had in any order.

    Attributes:
        lengths: Number of tokens in each row, `[rows]`.
    """

    lengths: np.ndarray

    def rows(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the inputs at these places, `[places, length]` each, padded to the longest."""


class Buckets:
    """Batches of rows of similar length: little is padded, and nothing is dropped.

    The rows are shuffled again and again, which makes one endless stream. The stream is cut into pools of 50
    batches (or as many as one shuffle holds, so that no batch repeats a row). Each pool is sorted by length and
    cut into batches, and these are shuffled too. So every batch is full, even if it has more rows than there are,
    and n passes show each row n times, give or take one where a pool reaches into the next shuffle.

    Args:
        tokens: The rows.
        labels: Labels of the rows `[rows, …]`, or several arrays of them by name; None for none.
        batch_size: Rows per batch.
        seed: Seed of every shuffle.
        extras: More arrays `[rows, …]` that go into the inputs by name, such as `teacher_logits`.
        repeats: How often each row is in one shuffle, `[rows]`; once by default.
    """

    def __init__(
        self,
        tokens: Rows,
        labels: np.ndarray | dict[str, np.ndarray] | None,
        batch_size: int,
        seed: int = 0,
        extras: dict[str, np.ndarray] | None = None,
        repeats: np.ndarray | None = None,
    ):
        self.tokens, self.labels, self.batch_size, self.seed = tokens, labels, batch_size, seed
        self.extras = extras or {}
        count = len(tokens.lengths)
        self._places = np.repeat(np.arange(count), 1 if repeats is None else repeats)
        self._orders: dict[int, np.ndarray] = {}
        self._pool_batches = max(1, min(POOL_BATCHES, count // batch_size))

    def batches(self, start: Sequence[int] = ()) -> Iterator[tuple]:
        """Yields (batch, the position after it) without end; a batch is `inputs`, or `(inputs, labels)`."""
        pool, first = start or (0, 0)
        while True:
            cut = self._pool(pool)
            for i in range(first, self._pool_batches):
                last = i + 1 == self._pool_batches
                yield self._batch(cut[i]), (pool + 1, 0) if last else (pool, i + 1)
            pool, first = pool + 1, 0

    def steps(self, epochs: int) -> int:
        """Returns the number of batches that make this many passes."""
        return -(-epochs * len(self._places) // self.batch_size)

    def _pool(self, number: int) -> np.ndarray:
        """Returns the places of the examples in each batch of a pool, `[batches, batch_size]`."""
        size, count = self._pool_batches * self.batch_size, len(self._places)
        begin, end = number * size, (number + 1) * size
        epochs = range(begin // count, -(-end // count))
        for epoch in epochs:
            if epoch not in self._orders:
                self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(self._places)
        self._orders = {epoch: self._orders[epoch] for epoch in epochs}  # the next pool needs the last one again
        stream = np.concatenate(list(self._orders.values()))
        places = stream[begin - epochs[0] * count :][:size]
        rng = np.random.default_rng([self.seed, number, 1])
        # Texts of equal length are in random order.
        places = places[np.lexsort((rng.random(size), self.tokens.lengths[places]))]
        return rng.permutation(places.reshape(-1, self.batch_size))

    def _batch(self, places: np.ndarray):
        inputs = self.tokens.rows(places) | {name: values[places] for name, values in self.extras.items()}
        if self.labels is None:
            return inputs
        if isinstance(self.labels, dict):
            return inputs, {name: values[places] for name, values in self.labels.items()}
        return inputs, self.labels[places]


class LengthBuckets(Buckets):
    """Batches of examples of similar length; see `Buckets`.

    Args:
        examples: The examples, with or without labels.
        tokenizer: Tokenizer of the model.
        sequence_length: Most tokens in a row.
        batch_size: Rows per batch.
        seed: Seed of every shuffle.
        extras: More arrays `[examples, …]` that go into the inputs by name, such as `teacher_logits`.
        repeats: How often each example is in one shuffle, `[examples]`; once by default.
    """

    def __init__(
        self,
        examples: Examples,
        tokenizer: BertTokenizer,
        sequence_length: int,
        batch_size: int,
        seed: int = 0,
        extras: dict[str, np.ndarray] | None = None,
        repeats: np.ndarray | None = None,
    ):
        tokens = TokenizedExamples(examples, tokenizer, sequence_length)
        super().__init__(tokens, examples.labels, batch_size, seed, extras, repeats)


def first_tokens(batches: Iterable[dict], tokens: int) -> list[dict]:
    """Returns the first batches of inputs that hold this many tokens together; all, if they hold fewer."""
    taken = []
    for batch in batches:
        taken.append(batch)
        tokens -= int(np.sum(batch["padding_mask"]))
        if tokens <= 0:
            break
    return taken


class TokenizedExamples:
    """The tokens of examples, without padding.

    Args:
        examples: Texts, or pairs of texts.
        tokenizer: Tokenizer of the model.
        sequence_length: Most tokens in a row; longer rows are cut, the longer text of a pair first.

    Attributes:
        lengths: Number of tokens in each row, `[examples]`.
        num_truncated: Number of rows that were cut.

    Raises:
        InputError: There are pairs, and the model takes none.
    """

    def __init__(self, examples: Examples, tokenizer: BertTokenizer, sequence_length: int):
        self.tokenizer = tokenizer
        if examples.text_pairs is not None:
            tokenizer.check_pairs()
        columns = [examples.texts] + ([examples.text_pairs] if examples.text_pairs is not None else [])
        read = [_tokenize(texts, tokenizer) for texts in columns]
        self._values = [values for values, _ in read]
        sizes = [np.diff(starts) for _, starts in read]
        self._starts = [starts[:-1] for _, starts in read]
        room = sequence_length - 1 - len(columns)
        if len(columns) == 2:
            self._sizes = [size.numpy() for size in truncate_pair(*map(tf.constant, sizes), room)]
        else:
            self._sizes = [np.minimum(sizes[0], room)]
        self.lengths = sum(self._sizes) + 1 + len(columns)
        self.num_truncated = int(sum(sizes).sum() and np.sum(sum(sizes) > room))

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns `token_ids`, `segment_ids` and `padding_mask`, int32 `[places, length]`, padded to the longest."""
        shape = (len(places), int(self.lengths[places].max(initial=1)))
        ids = np.full(shape, self.tokenizer.pad_id, np.int32)
        segments, mask = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for row, place in enumerate(places):
            end = 1
            ids[row, 0] = self.tokenizer.cls_id
            for segment, (values, starts, sizes) in enumerate(zip(self._values, self._starts, self._sizes)):
                begin, end = end, end + sizes[place] + 1
                ids[row, begin : end - 1] = values[starts[place] : starts[place] + sizes[place]]
                ids[row, end - 1] = self.tokenizer.sep_id
                segments[row, begin:end] = segment
            mask[row, :end] = 1
        return {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}


def _tokenize(texts: list[str], tokenizer: BertTokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids of all texts, one after another, and where each text begins (and the last one ends)."""
    parts = [tokenizer.tokenize(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
    sizes = np.concatenate([[0], *(part.row_lengths().numpy() for part in parts)])
    values = [np.zeros(0, np.int32), *(part.flat_values.numpy() for part in parts)]
    return np.concatenate(values).astype(np.int32, copy=False), np.cumsum(sizes)
