"""Records are read in any order and from any position; no test here needs Beam."""

import itertools
import tracemalloc

import numpy as np
import pytest

from tests.conftest import PIECES
from tests.scale.records import prepared
from tinybert_tf.data.packed_records import PackedRecords, open_corpus, packed
from tinybert_tf.data.packing import PackedText, Position
from tinybert_tf.data.records import Records, gathered
from tinybert_tf.data.splits import bucket
from tinybert_tf.data.text import HELD_OUT_BUCKETS

pytestmark = pytest.mark.usefixtures("small_windows")


@pytest.mark.parametrize("slice_tokens", [1, 50, 1 << 20])
def test_documents_are_gathered_in_any_order(monkeypatch, slice_tokens):
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", slice_tokens)
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 30, 200) * rng.integers(0, 2, 200)
    tokens = rng.integers(0, 1 << 16, sizes.sum()).astype(np.uint16)
    split = np.split(tokens, np.cumsum(sizes)[:-1])
    for order in (rng.permutation(200), rng.permutation(200)[:90], np.flatnonzero(sizes == 0), np.zeros(0, int)):
        made = gathered(tokens, sizes, order)
        assert made.dtype == np.uint16
        assert made.tolist() == [token for place in order for token in split[place].tolist()]


def test_gathering_needs_little_memory_besides_the_tokens(monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", 1 << 14)
    sizes = np.full(4000, 250)
    tokens = np.zeros(sizes.sum(), np.uint16)
    tracemalloc.start()
    try:
        gathered(tokens, sizes, np.arange(4000)[::-1])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < tokens.nbytes + 1_000_000


def test_documents_without_a_wordpiece_are_no_trouble(tokenizer, engine, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.records.WINDOW_TOKENS", 1)
    blank = ["\u200b" * i for i in range(1, 500)]
    assert any(bucket(text) in HELD_OUT_BUCKETS for text in blank)
    training = [text for text in texts[:40] if bucket(text) not in HELD_OUT_BUCKETS]
    (tmp_path / "text.txt").write_text("\n\n".join([*blank, *training]))
    records = Records(prepared(tmp_path / "run", [str(tmp_path / "text.txt")], tokenizer, engine()))
    text = packed(records, tokenizer, 2, 16, seed=3)
    sizes = [len(records.tokens_of(window, np.random.default_rng(0))) for window in text._cut]
    assert 0 in sizes and sum(sizes) > 500
    assert len(list(text.batches(epochs=1))) == text.count(1) >= sum(size > 0 for size in sizes)
    assert records.held_out(100) and text.held_out(4) == []


def test_a_pass_shows_every_token_once(folder, tokenizer):
    text = PackedRecords(Records(folder), tokenizer, batch_size=4, sequence_length=16)
    assert len(text._cut) > 8 and any(len({piece.shard for piece in window}) > 1 for window in text._cut)
    shown = np.concatenate([batch["token_ids"].ravel() for batch, _ in text.batches(epochs=1)])
    wanted = np.concatenate([text.corpus.tokens_of(window, np.random.default_rng(0)) for window in text._cut])
    surplus = np.bincount(shown, minlength=len(PIECES)) - np.bincount(wanted, minlength=len(PIECES))
    surplus[[tokenizer.cls_id, tokenizer.sep_id]] = 0
    assert (surplus >= 0).all()  # the last batch of a window is filled up with sequences of it
    assert surplus.sum() < len(text._cut) * 4 * 16


def test_any_position_is_resumed_exactly(folder, tokenizer):
    def stream(start):
        return packed(Records(folder), tokenizer, 4, 16, seed=3).batches(start)

    whole = list(itertools.islice(stream(Position()), 400))
    assert whole[-1][1].epoch == 1
    for place in (0, 7, 101, 350):
        (batch, position), (expected, after) = next(stream(whole[place][1])), whole[place + 1]
        assert position == after and all((batch[name] == expected[name]).all() for name in expected)


def test_each_pass_has_another_order(folder, tokenizer):
    text = packed(Records(folder), tokenizer, 4, 16, seed=3)
    orders = [list(text._windows(epoch)) for epoch in range(2)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == sorted(text._cut)


def test_held_out_sequences_are_full_and_the_same_each_time(folder, tokenizer):
    held_out = [packed(Records(folder), tokenizer, 2, 16, seed=3).held_out(4) for _ in range(2)]
    assert [batch["token_ids"].shape for batch in held_out[0]] == [(2, 16)] * 2
    assert all((a["token_ids"] == b["token_ids"]).all() for a, b in zip(*held_out))


def test_text_stays_text(sources, tokenizer):
    assert type(packed(open_corpus(sources), tokenizer, 4, 16, seed=3)) is PackedText
