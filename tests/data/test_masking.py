"""Masking: how many tokens, which, and what becomes of them."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from tinybert_tf.data.masking import MaskedText, mask_tokens
from tinybert_tf.data.packing import START, Position

SPECIAL = (0, 2, 3)  # [PAD], [CLS], [SEP]


@pytest.fixture
def full_rows(vocabulary):
    """A thousand rows of 40 tokens, half of them pairs; no [MASK] among them."""
    ids = np.random.default_rng(0).integers(5, len(vocabulary), (1000, 40)).astype(np.int32)
    ids[:, 0], ids[:, -1], ids[::2, 20] = 2, 3, 3
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}


def masked(batch, tokenizer, probability=0.15, seed=0):
    return mask_tokens(batch, tokenizer, probability, np.random.default_rng(seed))


def test_labels_are_the_originals_and_the_rest_stays(full_rows, tokenizer):
    before = full_rows["token_ids"].copy()
    inputs, labels = masked(full_rows, tokenizer)
    positions = inputs["masked_positions"]
    assert positions.shape == labels.shape == (1000, 6)  # 15 % of 40
    assert positions.dtype == np.int32
    assert (labels == np.take_along_axis(before, positions, 1)).all()
    untouched = np.ones_like(before, bool)
    np.put_along_axis(untouched, positions, False, 1)
    assert (inputs["token_ids"][untouched] == before[untouched]).all()
    assert (full_rows["token_ids"] == before).all()
    assert inputs["segment_ids"] is full_rows["segment_ids"]
    assert inputs["padding_mask"] is full_rows["padding_mask"]


def test_every_position_is_chosen_once_and_no_special_token(full_rows, tokenizer):
    inputs, labels = masked(full_rows, tokenizer)
    assert (np.diff(inputs["masked_positions"], axis=1) > 0).all()
    assert not np.isin(labels, SPECIAL).any()
    chosen = np.bincount(inputs["masked_positions"][1::2].ravel(), minlength=40)[1:-1]
    assert chosen.min() > 0.6 * chosen.mean() and chosen.max() < 1.4 * chosen.mean()


def test_of_ten_chosen_eight_are_hidden_one_random_and_one_kept(full_rows, tokenizer, vocabulary):
    inputs, labels = masked(full_rows, tokenizer, probability=0.5)
    shown = np.take_along_axis(inputs["token_ids"], inputs["masked_positions"], 1)
    hidden, kept = shown == tokenizer.mask_id, shown == labels
    assert hidden.mean() == pytest.approx(0.8 + 0.1 / len(vocabulary), abs=0.01)
    assert kept.mean() == pytest.approx(0.1 + 0.1 / len(vocabulary), abs=0.01)
    assert len(set(shown[~hidden & ~kept])) > len(vocabulary) - 2  # every piece, [MASK] apart


@pytest.mark.parametrize("probability, length, count", [(0.01, 40, 1), (0.15, 10, 2), (0.5, 40, 20)])
def test_the_share_is_rounded_and_at_least_one(full_rows, tokenizer, probability, length, count):
    batch = {name: values[:, :length] for name, values in full_rows.items()}
    assert masked(batch, tokenizer, probability)[1].shape == (1000, count)


def test_the_seed_chooses(full_rows, tokenizer):
    (first, labels), (again, same), (other, _) = (masked(full_rows, tokenizer, seed=seed) for seed in (0, 0, 1))
    assert (labels == same).all()
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["masked_positions"] != other["masked_positions"]).any()


@pytest.fixture
def text(full_rows, tokenizer):
    """A stand-in for `PackedText` whose batches are all the same."""

    def batches(start):
        for i in itertools.count(start.batch):
            yield full_rows, Position(start.epoch, start.window, i + 1)

    return SimpleNamespace(
        seed=5, tokenizer=tokenizer, batches=batches, held_out=lambda count: [full_rows] * (count // 1000)
    )


def test_masked_text_can_be_gone_on_from_any_position(text):
    stream = list(itertools.islice(MaskedText(text, 0.15).batches(list(START)), 4))
    assert (stream[0][0][1] != stream[1][0][1]).any()  # the same rows, masked otherwise
    (inputs, labels), position = next(MaskedText(text, 0.15).batches(list(stream[1][1])))
    (expected, expected_labels), expected_position = stream[2]
    assert position == expected_position
    assert (labels == expected_labels).all()
    assert all((inputs[name] == expected[name]).all() for name in expected)


def test_the_masks_depend_on_the_seed_of_the_text(text):
    (_, labels), _ = next(MaskedText(text, 0.15).batches(list(START)))
    text.seed = 6
    assert (next(MaskedText(text, 0.15).batches(list(START)))[0][1] != labels).any()


def test_held_out_masks_are_always_the_same(text):
    held_out, again = (MaskedText(text, 0.15).held_out(2000) for _ in range(2))
    labels, same = (np.concatenate([labels for _, labels in batches]) for batches in (held_out, again))
    assert labels.shape == (2000, 6) and (labels == same).all()
    assert all(
        (inputs[name] == other[name]).all() for (inputs, _), (other, _) in zip(held_out, again) for name in inputs
    )
    assert (labels[:1000] != labels[1000:]).any()
    assert MaskedText(text, 0.15).held_out(0) == []
