"""Which WordPieces stay: what a corpus uses, and what spells the rest."""

import numpy as np
import pytest

from tests.conftest import PIECES, SPECIAL_TOKENS
from tinybert_tf import assets
from tinybert_tf.data.vocabulary import by_frequency, check_size, count_pieces, frequent_pieces, pieces_to_keep
from tinybert_tf.errors import InputError
from tinybert_tf.tokenizer import BertTokenizer
from tinybert_tf.tokenizer.vocabulary import read_vocabulary

SPELLABLE = [*SPECIAL_TOKENS, "[unused0]", "film", "##lm", "fi", "##i", "f", "##m", "##l", "##f", "i", "m", "l"]


def test_pieces_are_counted(tokenizer):
    counts = count_pieces(tokenizer, ["a film", "films and film", "x"])
    expected = {"a": 1, "film": 3, "##s": 1, "and": 1, "[UNK]": 1}
    assert {PIECES[i]: counts[i] for i in np.flatnonzero(counts)} == expected
    assert count_pieces(tokenizer, []).sum() == 0


def test_used_pieces_their_characters_and_special_tokens_stay(tokenizer):
    vocabulary = [*PIECES, "f", "##f", "i", "##m", "q", "##q"]
    counts = count_pieces(BertTokenizer(vocabulary), ["film films film"])
    kept = [vocabulary[i] for i in pieces_to_keep(vocabulary, counts)]
    assert kept == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "##s", "f", "##f", "i", "##m"]
    kept = [vocabulary[i] for i in pieces_to_keep(vocabulary, counts, min_count=2)]
    assert "film" in kept and "##s" not in kept


@pytest.mark.parametrize(
    ("size", "more"), [(13, []), (14, ["##lm"]), (15, ["film", "##lm"]), (16, ["film", "##lm", "fi"]), (17, None)]
)
def test_the_most_frequent_pieces_stay_beside_special_tokens_and_characters(size, more):
    counts = np.zeros(len(SPELLABLE), np.int64)
    counts[SPELLABLE.index("##lm")] = 3  # film and fi never occur, and go by their ids; [unused0] can be in no text
    kept = [SPELLABLE[i] for i in frequent_pieces(SPELLABLE, counts, size)]
    assert len(kept) == size and kept == sorted(kept, key=SPELLABLE.index)
    assert set(kept) == set(SPELLABLE if more is None else [*SPECIAL_TOKENS, *SPELLABLE[9:], *more])


def test_of_equal_pieces_the_one_that_the_tokenizer_finds_stays():
    vocabulary = [*SPECIAL_TOKENS, "f", "##f", "ff", "f"]
    assert list(frequent_pieces(vocabulary, np.zeros(9, np.int64), 7)) == [0, 1, 2, 3, 4, 6, 8]


@pytest.mark.parametrize(
    ("size", "vocabulary", "message"),
    [
        (12, SPELLABLE, "got 12; expected a number from 13, special tokens and single characters, to 17, all pieces"),
        (18, SPELLABLE, "got 18; expected a number from 13"),
        (16, [piece for piece in SPELLABLE if piece != "##m"], "got 16, for a vocabulary that has no piece '##m'"),
    ],
)
def test_sizes_that_words_cannot_be_spelt_in_are_refused(size, vocabulary, message):
    check_size(13, SPELLABLE)
    check_size(17, SPELLABLE)
    with pytest.raises(InputError, match=f"vocabulary_size: {message}"):
        check_size(size, vocabulary)


@pytest.mark.assets
@pytest.mark.parametrize("size", [1999, 8000])
def test_whatever_is_left_out_of_a_real_vocabulary_is_spelt_in_what_stays(size):
    vocabulary = read_vocabulary(assets.fetch("minilm_l6") / "vocab.txt")
    check_size(size, vocabulary)
    kept = frequent_pieces(vocabulary, np.zeros(len(vocabulary), np.int64), size)
    assert len(kept) == size
    part = BertTokenizer([vocabulary[i] for i in kept])
    words = [piece if piece == piece.removeprefix("##") else f"a{piece.removeprefix('##')}" for piece in vocabulary]
    before = BertTokenizer(vocabulary).tokenize(words).to_list()
    after = [[part.vocabulary[i] for i in row] for row in part.tokenize(words).to_list()]
    for ids, pieces in zip(before, after, strict=True):
        known = [vocabulary[i] for i in ids]
        assert pieces.count("[UNK]") == known.count("[UNK]")
        assert "".join(p.removeprefix("##") for p in pieces) == "".join(p.removeprefix("##") for p in known)


def test_by_frequency():
    vocabulary = ["[PAD]", "[unused0]", "a", "[CLS]", "b", "c"]
    assert list(by_frequency(vocabulary, np.array([0, 0, 1, 0, 1, 7]))) == [0, 3, 5, 2, 4, 1]
