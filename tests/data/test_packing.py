"""Packing: full sequences, half of them pairs, in an order that depends on seed and position alone."""

import itertools
from collections import Counter

import numpy as np
import pytest

from tinybert_tf.data.packing import START, PackedText, Position
from tinybert_tf.data.splits import bucket
from tinybert_tf.data.text import HELD_OUT_BUCKETS, Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer

WORDS = [f"w{i}" for i in range(500)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
FIRST_WORD = 5


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(VOCABULARY)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, rng.integers(5, 60))) for _ in range(1500)]
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(3):
        (folder / f"{i}.txt").write_text("\n\n".join(documents[i::3]))
    return Corpus([f"{folder}/*.txt"])


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.packing.WINDOW_BYTES", 40_000)


@pytest.fixture(scope="module")
def text(corpus, tokenizer):
    return PackedText(corpus, tokenizer, batch_size=8, sequence_length=64, seed=3)


def take(text, number, start=START):
    return list(itertools.islice(text.batches(start), number))


def test_every_place_holds_a_token(text):
    for batch, _ in take(text, 40):
        ids, segments = batch["token_ids"], batch["segment_ids"]
        assert (ids[:, 0] == 2).all() and (ids[:, -1] == 3).all()
        assert not (ids == 0).any()
        assert (batch["padding_mask"] == 1).all()
        assert all(array.dtype == np.int32 and array.shape == ids.shape for array in batch.values())
        for row, segment in zip(ids, segments):
            inner = np.flatnonzero(row[1:-1] == 3) + 1
            assert len(inner) == int(segment.any())  # a second [SEP] where there are two segments, and only there
            if len(inner):
                assert (segment == (np.arange(len(row)) > inner[0])).all()
                assert inner[0] >= 2 and inner[0] <= len(row) - 3  # neither segment is empty


def test_half_are_pairs_and_a_tenth_is_short(text):
    batches = [batch for batch, _ in take(text, 300)]
    full = [batch for batch in batches if batch["token_ids"].shape[1] == 64]
    pairs = np.mean([batch["segment_ids"].any(axis=1).mean() for batch in full])
    assert 0.45 < pairs < 0.55
    assert 0.05 < 1 - len(full) / len(batches) < 0.15
    assert {batch["token_ids"].shape[1] for batch in batches} == {16, 32, 64}


def test_an_epoch_holds_every_token_of_the_corpus(corpus, tokenizer, text):
    expected = np.zeros(len(VOCABULARY), int)
    for document in corpus.documents():
        ids = tokenizer.tokenize([document]).flat_values.numpy()
        np.add.at(expected, ids, 1)
    seen = np.zeros(len(VOCABULARY), int)
    batches = 0
    for batch, _ in text.batches(epochs=1):
        np.add.at(seen, batch["token_ids"].ravel(), 1)
        batches += 1
    assert (seen[FIRST_WORD:] >= expected[FIRST_WORD:]).all()
    # The last batch of each window is filled up with text of the same window: fewer than a batch for each.
    windows = sum(1 for _ in text._windows(0))
    assert windows > 3
    assert seen[FIRST_WORD:].sum() - expected[FIRST_WORD:].sum() <= windows * 8 * 64
    assert text.count(1) == batches


def test_text_stays_in_order_inside_a_sequence(corpus, tokenizer, text):
    """Every run of tokens between special ones occurs in the corpus as it is, except at the ends of documents."""
    documents = [tokenizer.tokenize([d]).flat_values.numpy() for d in corpus.documents()]
    stream = " ".join(" ".join(map(str, ids)) + " |" for ids in documents)
    batch, _ = take(text, 1)[0]
    for row in batch["token_ids"]:
        words = [str(i) for i in row if i >= FIRST_WORD]
        joined = sum(f" {a} {b} " in f" {stream} " for a, b in itertools.pairwise(words))
        assert joined > 0.8 * (len(words) - 1)


def test_any_position_can_be_gone_on_from(text):
    batches = take(text, 120)
    epochs = {position.epoch for _, position in batches}
    assert len(epochs) > 1
    for at in (0, 1, 17, 60, 118):
        batch, position = take(text, 1, batches[at][1])[0]
        expected, expected_position = batches[at + 1]
        assert position == expected_position
        assert all((batch[name] == expected[name]).all() for name in batch)


def test_order_depends_on_the_seed_and_the_epoch(corpus, tokenizer, text):
    def first(text, position=START):
        return take(text, 1, position)[0][0]["token_ids"]

    assert (first(text) == first(PackedText(corpus, tokenizer, 8, 64, seed=3))).all()
    assert not np.array_equal(first(text), first(PackedText(corpus, tokenizer, 8, 64, seed=4)))
    assert not np.array_equal(first(text), first(text, Position(1, 0, 0)))


def test_a_corpus_smaller_than_a_batch_fills_one(tmp_path, tokenizer):
    (tmp_path / "tiny.txt").write_text("w1 w2 w3")
    text = PackedText(Corpus([str(tmp_path / "tiny.txt")]), tokenizer, batch_size=8, sequence_length=16)
    train, held_out = list(text.batches(epochs=1)), text.held_out(4)
    assert len(train) + len(held_out) >= 1  # the one document falls on one side
    for batch in [batch for batch, _ in train] + held_out:
        assert batch["token_ids"].shape[0] == 8
        assert set(np.unique(batch["token_ids"])) <= {2, 3, *(FIRST_WORD + i for i in (1, 2, 3))}


@pytest.fixture
def blank():
    """Documents without a token; some of them are held out."""
    texts = ["\u200b" * i for i in range(1, 200)]
    assert {bucket(text) in HELD_OUT_BUCKETS for text in texts} == {True, False}
    return texts


def test_windows_and_held_out_documents_may_have_no_token(blank, tmp_path, tokenizer, monkeypatch):
    words = [text for text in WORDS[:50] if bucket(text) not in HELD_OUT_BUCKETS]
    (tmp_path / "text.txt").write_text("\n\n".join([*blank, *words]))
    monkeypatch.setattr("tinybert_tf.data.packing.WINDOW_BYTES", 1)  # a document per window
    text = PackedText(Corpus([str(tmp_path / "text.txt")]), tokenizer, batch_size=2, sequence_length=16)
    assert text.count(2) == 2 * len(words)
    found = list(text.batches(epochs=2))
    shown = Counter(int(token) for batch, _ in found for token in np.unique(batch["token_ids"]) if token >= FIRST_WORD)
    assert len(found) == 2 * len(words) and shown == {FIRST_WORD + WORDS.index(word): 2 for word in words}
    rest = list(text.batches(found[-1][1], epochs=3))
    assert len(rest) == len(words) and text.held_out(4) == []


def test_a_corpus_without_a_token_is_refused(blank, tmp_path, tokenizer):
    (tmp_path / "text.txt").write_text("\n\n".join(blank))
    text = PackedText(Corpus([str(tmp_path / "text.txt")]), tokenizer, batch_size=2, sequence_length=16)
    assert text.held_out(4) == []
    with pytest.raises(InputError, match=r"^corpus: got text without any WordPiece to train on; expected more text"):
        next(text.batches())


def test_held_out_sequences_come_from_held_out_documents(corpus, tokenizer, text):
    batches = text.held_out(16)
    assert sum(len(batch["token_ids"]) for batch in batches) == 16
    assert all(batch["token_ids"].shape[1] == 64 for batch in batches)
    held_out = [tokenizer.tokenize([d]).flat_values.numpy() for d in corpus.documents(held_out=True)]
    bigrams = {pair for ids in held_out for pair in itertools.pairwise(ids.tolist())}
    row = batches[0]["token_ids"][0].tolist()
    pairs = [pair for pair in itertools.pairwise(row) if min(pair) >= FIRST_WORD]
    assert np.mean([pair in bigrams for pair in pairs]) > 0.8


def test_the_data_set_is_the_stream(text):
    for ours, (theirs, _) in zip(text.dataset().take(3).as_numpy_iterator(), take(text, 3)):
        assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_there_are_no_pairs_for_a_model_of_one_segment(corpus):
    text = PackedText(corpus, BertTokenizer(VOCABULARY, takes_pairs=False), 8, 64, seed=3)
    for batch, _ in take(text, 10):
        assert not batch["segment_ids"].any() and (batch["token_ids"][:, 1:-1] >= FIRST_WORD).all()
