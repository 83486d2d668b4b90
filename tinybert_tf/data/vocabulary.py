"""Which WordPieces a corpus uses."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from tinybert_tf.tokenizer import BertTokenizer

_DOCUMENTS = 256  # tokenized at a time


def count_pieces(tokenizer: BertTokenizer, documents: Iterable[str]) -> np.ndarray:
    """Returns how often each WordPiece occurs, int64 `[vocabulary]`."""
    counts, documents = np.zeros(len(tokenizer.vocabulary), np.int64), iter(documents)
    while batch := list(itertools.islice(documents, _DOCUMENTS)):
        counts += np.bincount(tokenizer.tokenize(batch).flat_values.numpy(), minlength=len(counts))
    return counts


def pieces_to_keep(vocabulary: Sequence[str], counts: np.ndarray, min_count: int = 1) -> np.ndarray:
    """Returns the ids of the pieces that are worth keeping, ascending.

    These are the special tokens, the pieces that occur often enough, and, so that no word becomes unknown, every
    single character of these pieces, at the beginning of a word and within one.

    WordPiece takes the longest piece that fits. So what remains cuts the counted texts into the same pieces, if
    `min_count` is 1.

    Args:
        vocabulary: The WordPieces.
        counts: How often each occurs.
        min_count: Fewest occurrences of a piece that stays.
    """
    used = [piece for piece, count in zip(vocabulary, counts) if count >= max(1, min_count)]
    characters = {character for piece in used for character in piece.removeprefix("##")}
    wanted = {*used, *characters, *(f"##{character}" for character in characters)}
    wanted |= {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    return np.array([i for i, piece in enumerate(vocabulary) if piece in wanted], np.int64)
