"""Which WordPieces stay: what a corpus uses, and what spells the rest."""

import numpy as np

from tests.conftest import PIECES
from tinybert_tf.data.vocabulary import count_pieces, pieces_to_keep
from tinybert_tf.tokenizer import BertTokenizer


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
