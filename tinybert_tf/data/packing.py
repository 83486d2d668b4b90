"""Unlabelled text as full sequences: no padding, and an order that depends on seed and step alone."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tinybert_tf.configs import INPUTS
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.tokenizer import BertTokenizer

WINDOW_BYTES = 4 << 20
PAIR_SHARE, SHORT_SHARE = 0.5, 0.1
_SPECIAL = 2  # [CLS] and the last [SEP]; a pair has one more


class Position(NamedTuple):
    """A position in a stream of batches: the one of the next batch."""

    epoch: int = 0
    window: int = 0
    batch: int = 0


START = Position()


class PackedText:
    """Batches of full sequences cut from a corpus.

    The corpus is read in windows of 4 MiB. The documents of a window are shuffled, tokenized, joined and cut into
    sequences, `[CLS] text [SEP]` or, for half of them, `[CLS] text [SEP] text that follows [SEP]`, and the sequences
    are shuffled too; there are no pairs if the tokenizer takes none. A tenth of the batches are short (a quarter or a
    half of the length). All sequences of a batch have one length, so nothing is ever padded. The last batch of a window
    is filled up with sequences of the same window. The batch at a `Position` depends on corpus, tokenizer, sizes and
    seed alone.

    Args:
        corpus: The documents.
        tokenizer: The tokenizer of teacher and student.
        batch_size: Sequences per batch.
        sequence_length: Tokens per sequence, special tokens included.
        seed: Seed of every shuffle.
    """

    def __init__(self, corpus: Corpus, tokenizer: BertTokenizer, batch_size: int, sequence_length: int, seed: int = 0):
        self.corpus = corpus
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.sequence_length = sequence_length
        self.seed = seed

    def batches(self, start: Position = START, epochs: int | None = None) -> Iterator[tuple[dict, Position]]:
        """Yields (batch, the position after it), from `start` on; without end if `epochs` is None.

        A batch is a dict of `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`.

        Raises:
            InputError: There is no token in the corpus.
        """
        first_batch, first_window, epoch = start.batch, start.window, start.epoch
        found = start != START
        while epochs is None or epoch < epochs:
            for window, texts in enumerate(self._windows(epoch)):
                if window < first_window:
                    continue
                packed = self._pack(texts, [self.seed, epoch, window])
                for i in range(first_batch, packed.num_batches):
                    found = True
                    last = i + 1 == packed.num_batches
                    yield packed.batch(i), Position(epoch, window + 1) if last else Position(epoch, window, i + 1)
                first_batch = 0
            if not found:
                raise InputError("corpus", "text without any WordPiece to train on", "more text")
            first_window, epoch = 0, epoch + 1

    def dataset(self, epochs: int | None = None) -> tf.data.Dataset:
        """Returns the batches as a `tf.data.Dataset`, for `fit`."""
        spec = tf.TensorSpec([self.batch_size, None], tf.int32)
        signature = dict.fromkeys(INPUTS, spec)
        return tf.data.Dataset.from_generator(
            lambda: (batch for batch, _ in self.batches(epochs=epochs)), output_signature=signature
        ).prefetch(2)

    def held_out(self, num_sequences: int) -> list[dict]:
        """Returns up to this many full sequences of the corpus's held-out slice, in batches; the list may be empty."""
        documents = self._held_out(2 * num_sequences * self.sequence_length)
        if not documents:
            return []
        packed = self._pack(documents, [self.seed], short_share=0.0)
        return [packed.batch(i) for i in range(min(packed.num_batches, -(-num_sequences // self.batch_size)))]

    def count(self, epochs: int) -> int:
        """Returns the number of batches in this many epochs; to count them it reads and tokenizes the corpus."""
        return sum(
            self._pack(texts, [self.seed, epoch, window]).num_batches
            for epoch in range(epochs)
            for window, texts in enumerate(self._windows(epoch))
        )

    def _held_out(self, tokens: int) -> list[str]:
        """Returns held-out documents of about this many tokens, or all of them."""
        texts, size = [], 0
        for text in self.corpus.documents(held_out=True):
            texts.append(text)
            size += len(text)
            if size > 4 * tokens:
                break
        return texts

    def _windows(self, epoch: int) -> Iterator[list[str]]:
        texts, size = [], 0
        for text in self.corpus.documents(order_seed=[self.seed, epoch]):
            texts.append(text)
            size += len(text.encode())
            if size >= WINDOW_BYTES:
                yield texts
                texts, size = [], 0
        if texts:
            yield texts

    def _pack(self, documents: list, seed: list[int], short_share: float = SHORT_SHARE) -> "_Packed":
        rng = np.random.default_rng(seed)
        tokens = self._tokens(documents, rng)
        return _Packed(tokens, self.tokenizer, self.batch_size, self.sequence_length, short_share, rng)

    def _tokens(self, texts: list[str], rng: np.random.Generator) -> np.ndarray:
        """Returns the tokens of documents in random order, one document after another."""
        texts = [texts[i] for i in rng.permutation(len(texts))]
        return self.tokenizer.tokenize(texts).flat_values.numpy()


class _Packed:
    """The tokens of one window and the plan that cuts them into batches."""

    def __init__(self, tokens, tokenizer, batch_size, sequence_length, short_share, rng):
        self.tokens, self.tokenizer = tokens, tokenizer
        fewest = _SPECIAL + 2  # a pair of one token each has five; a single text is never that short
        shorts = sorted({length for d in (4, 2) if (length := sequence_length // d) > fewest})
        limit = -(-len(tokens) // (batch_size * max(1, (shorts or [sequence_length])[0] - 3)))
        short = (rng.random(limit) < short_share) & bool(shorts)
        self.lengths = np.where(short, rng.choice(shorts or [sequence_length], limit), sequence_length)
        pairs = rng.random((limit, batch_size)) < (PAIR_SHARE if tokenizer.takes_pairs else 0.0)
        room = np.maximum(self.lengths[:, None] - _SPECIAL - pairs, 1)
        self.num_batches = int(np.searchsorted(np.cumsum(room.sum(axis=1)), len(tokens)) + 1) if len(tokens) else 0
        self.lengths, pairs, room = (
            self.lengths[: self.num_batches],
            pairs[: self.num_batches],
            room[: self.num_batches],
        )
        # Where each sequence begins: they lie end to end in random order, and start again at the end of the window.
        order = rng.permutation(room.size)
        ends = np.cumsum(room.ravel()[order])
        starts = np.empty(room.size, np.int64)
        starts[order] = ends - room.ravel()[order]
        self.starts = starts.reshape(room.shape)
        self.cuts = np.where(pairs, rng.integers(1, np.maximum(room, 2)), 0)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Returns batch `i`: three int32 arrays `[batch, length]`."""
        length, start, cut = self.lengths[i], self.starts[i][:, None], self.cuts[i][:, None]
        column = np.arange(length)[None, :]
        second = (cut > 0) & (column > cut + 1)
        ids = self.tokens[(start + column - 1 - second) % len(self.tokens)]
        ids[:, 0] = self.tokenizer.cls_id
        ids[:, -1] = self.tokenizer.sep_id
        ids[(cut > 0) & (column == cut + 1)] = self.tokenizer.sep_id
        ids = ids.astype(np.int32)
        return {"token_ids": ids, "segment_ids": second.astype(np.int32), "padding_mask": np.ones_like(ids)}
