"""Batches of full sequences from records: the mechanism of `PackedText`, but nothing is tokenized again."""

from collections.abc import Iterator, Sequence

import numpy as np

from tinybert_tf.data.packing import PackedText
from tinybert_tf.data.records import Piece, Records, records_folder
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.tokenizer import BertTokenizer


class PackedRecords(PackedText):
    """Batches of full sequences cut from records; see `PackedText`, which this differs from in its windows.

    A window has about a million tokens, and the windows of all shards come in random order, another one in each pass.
    Only the documents of one window are in memory.

    Raises:
        InputError: The records were made with another tokenizer; or, while reading, a shard is damaged.
    """

    def __init__(self, corpus: Records, tokenizer: BertTokenizer, batch_size: int, sequence_length: int, seed: int = 0):
        corpus.check(tokenizer)
        super().__init__(corpus, tokenizer, batch_size, sequence_length, seed)
        self._cut = corpus.windows()

    def _held_out(self, tokens: int) -> list[Piece]:
        return self.corpus.held_out(tokens)

    def _windows(self, epoch: int) -> Iterator[list[Piece]]:
        for place in np.random.default_rng([self.seed, epoch]).permutation(len(self._cut)):
            yield self._cut[place]

    def _tokens(self, pieces: list[Piece], rng: np.random.Generator) -> np.ndarray:
        return self.corpus.tokens_of(pieces, rng)


def open_corpus(
    sources: Sequence[str], field: str = "text", without: Sequence[str] = (), bad_lines: str = "skip"
) -> Corpus | Records:
    """Returns a corpus of text, or the records that the sources name; takes the arguments of `Corpus`.

    Raises:
        InputError: The sources cannot be read, or texts are to be left out of records.
    """
    folder = records_folder(sources)
    if folder is None:
        return Corpus(sources, field, without, bad_lines)
    if without:
        expected = "none with records: --stage=corpus leaves texts out when it makes them"
        raise InputError("without", ",".join(without), expected)
    return Records(folder)


def packed(
    corpus: Corpus | Records, tokenizer: BertTokenizer, batch_size: int, sequence_length: int, seed: int
) -> PackedText:
    """Returns the batches of a corpus of text or of records; takes the arguments of `PackedText`."""
    kind = PackedRecords if isinstance(corpus, Records) else PackedText
    return kind(corpus, tokenizer, batch_size, sequence_length, seed)
