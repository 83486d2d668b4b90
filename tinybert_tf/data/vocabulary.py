"""Which WordPieces a corpus uses, and which of them are worth keeping."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.tokenizer import BertTokenizer

_DOCUMENTS = 256  # tokenized at a time
_SPECIAL = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


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
    wanted = {*_SPECIAL, *used, *characters, *(f"##{character}" for character in characters)}
    return np.array([i for i, piece in enumerate(vocabulary) if piece in wanted], np.int64)


def frequent_pieces(vocabulary: Sequence[str], counts: np.ndarray, size: int) -> np.ndarray:
    """Returns the ids of as many pieces as are asked for, ascending.

    These are the special tokens, every single character, at the beginning of a word and within one, and then the most
    frequent pieces; of equally frequent ones those with the lower ids, which are the more frequent ones in BERT's own
    texts. So no word becomes unknown that was known: what is left out is spelt in what stays.

    Args:
        vocabulary: The WordPieces.
        counts: How often each occurs.
        size: Number of pieces that stay; see `check_size`.
    """
    basic = _basic_pieces(vocabulary)
    order = [int(i) for i in by_frequency(vocabulary, counts) if i not in basic]
    return np.sort(np.array([*basic, *order[: size - len(basic)]], np.int64))


def by_frequency(vocabulary: Sequence[str], counts: np.ndarray) -> np.ndarray:
    """Returns the ids of all pieces: the special tokens, then the others, the most frequent ones first.

    Of equally frequent ones those with lower ids come first, but pieces that are in no text, such as [unused7], last.

    Args:
        vocabulary: The WordPieces.
        counts: How often each occurs.
    """
    ordinary = [piece not in _SPECIAL for piece in vocabulary]
    return np.lexsort(([_is_bracketed(piece) for piece in vocabulary], -counts, ordinary))


def check_size(size: int, vocabulary: Sequence[str]) -> None:
    """Makes sure that `frequent_pieces` can keep this number of pieces.

    Raises:
        InputError: The number is too small for the special tokens and characters, or larger than the vocabulary; or
            the vocabulary lacks a character, so that words could become unknown.
    """
    fewest = len(_basic_pieces(vocabulary))
    if not fewest <= size <= len(vocabulary):
        expected = f"a number from {fewest}, special tokens and single characters, to {len(vocabulary)}, all pieces"
        raise InputError("vocabulary_size", size, expected)
    lacking = {character for piece in vocabulary if not _is_bracketed(piece) for character in _spelling(piece)}
    lacking -= set(vocabulary)
    if lacking:
        got = f"{size}, for a vocabulary that has no piece {min(lacking)!r} to spell others in"
        raise InputError("vocabulary_size", got, "--min_count instead")


def _basic_pieces(vocabulary: Sequence[str]) -> set[int]:
    ids = {piece: i for i, piece in enumerate(vocabulary)}  # the last one of equal pieces, as for a tokenizer
    return {i for piece, i in ids.items() if piece in _SPECIAL or len(piece.removeprefix("##")) == 1}


def _spelling(piece: str) -> list[str]:
    """Returns the single characters of a piece, as pieces."""
    word = piece.removeprefix("##")
    return [character if i == 0 and word == piece else f"##{character}" for i, character in enumerate(word)]


def _is_bracketed(piece: str) -> bool:
    """Returns whether a piece is one such as [unused7], which is in no text."""
    return len(piece) > 1 and piece.startswith("[") and piece.endswith("]")
