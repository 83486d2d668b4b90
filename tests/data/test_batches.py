"""Length buckets: every example equally often, in an order that depends on seed and position alone."""

import itertools

import numpy as np
import pytest

from tests.conftest import WORDS
from tinybert_tf.data.batches import POOL_BATCHES, LengthBuckets, TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer

PLAIN = [word for word in WORDS if len(word) > 1]


def make_examples(count, pairs=False, longest=20, seed=0):
    rng = np.random.default_rng(seed)

    def texts():
        return [" ".join(rng.choice(PLAIN, rng.integers(0, longest))) for _ in range(count)]

    return Examples(texts(), texts() if pairs else None, np.arange(count))


def take(buckets, count, start=()):
    return list(itertools.islice(buckets.batches(start), count))


def labels_of(batches):
    return np.concatenate([labels for (_, labels), _ in batches])


@pytest.fixture
def make_buckets(tokenizer):
    """A function that makes buckets of examples whose labels are their places."""

    def make(count, batch_size, seed=0, **kwargs):
        return LengthBuckets(make_examples(count), tokenizer, 16, batch_size, seed, **kwargs)

    return make


@pytest.mark.parametrize("count, batch_size, epochs", [(80, 4, 5), (200, 4, 2), (600, 4, 1), (3, 4, 400)])
def test_every_example_is_seen_alike_often(make_buckets, count, batch_size, epochs):
    buckets = make_buckets(count, batch_size)
    assert buckets.steps(epochs) * batch_size == epochs * count
    assert set(np.bincount(labels_of(take(buckets, buckets.steps(epochs))))) == {epochs}


@pytest.mark.parametrize("count, batch_size", [(3, 4), (50, 4), (333, 4), (701, 8)])
def test_no_example_falls_behind_by_more_than_one(make_buckets, count, batch_size):
    drawn = labels_of(take(make_buckets(count, batch_size), 8 * count // batch_size + 1))
    for epochs in range(1, 8):
        seen = np.bincount(drawn[: epochs * count], minlength=count)
        assert np.abs(seen - epochs).max() <= 1


def test_steps_are_rounded_up(make_buckets):
    assert [make_buckets(10, 4).steps(epochs) for epochs in (1, 2, 3)] == [3, 5, 8]


def test_every_batch_is_full_even_of_fewer_examples(make_buckets):
    for (inputs, labels), _ in take(make_buckets(3, 8), POOL_BATCHES + 2):
        assert len(labels) == len(inputs["token_ids"]) == 8
        assert set(labels) == {0, 1, 2}


def test_batches_of_few_examples_do_not_repeat_one_over_and_over(make_buckets):
    for (_, labels), _ in take(make_buckets(40, 8), 100):
        assert np.bincount(labels).max() <= 2


def test_batches_are_of_like_length(make_buckets):
    buckets = make_buckets(3000, 8)
    spreads = [np.ptp(buckets.tokens.lengths[labels]) for (_, labels), _ in take(buckets, 2 * POOL_BATCHES)]
    assert np.mean(spreads) < 1
    assert np.ptp(buckets.tokens.lengths) > 10


def test_long_batches_do_not_come_last(make_buckets):
    batches = take(make_buckets(3000, 8), POOL_BATCHES)
    widths = [inputs["token_ids"].shape[1] for (inputs, _), _ in batches]
    assert widths != sorted(widths) and widths != sorted(widths, reverse=True)


@pytest.mark.parametrize("count", [3, 90, 1000])
def test_any_position_can_be_gone_on_from(make_buckets, count):
    batches = take(make_buckets(count, 4), 2 * POOL_BATCHES + 5)
    places = (0, 17, POOL_BATCHES - 2, POOL_BATCHES - 1, POOL_BATCHES, 2 * POOL_BATCHES - 1)
    assert len({position for _, position in batches}) == len(batches)
    for at in places:
        gone_on = take(make_buckets(count, 4), 4, list(batches[at][1]))
        for ((inputs, labels), position), ((expected, expected_labels), expected_position) in zip(
            gone_on, batches[at + 1 :]
        ):
            assert position == expected_position
            assert (labels == expected_labels).all()
            assert all((inputs[name] == expected[name]).all() for name in expected)


def test_the_seed_orders(make_buckets):
    first, again, other = (labels_of(take(make_buckets(300, 4, seed), 30)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_every_epoch_has_its_own_order(make_buckets):
    pools = labels_of(take(make_buckets(600, 4), 6 * POOL_BATCHES)).reshape(6, 200)  # an epoch is three pools
    assert set(pools[0]) != set(pools[3])


def test_some_examples_come_more_often(make_buckets):
    buckets = make_buckets(60, 4, repeats=np.where(np.arange(60) < 20, 7, 1))
    assert buckets.steps(1) == 45
    seen = np.bincount(labels_of(take(buckets, 450)))  # ten passes
    assert np.abs(seen[:20] - 70).max() <= 7 and np.abs(seen[20:] - 10).max() <= 1


def test_extras_and_tokens_follow_their_examples(make_buckets, tokenizer):
    extra = np.arange(70 * 3).reshape(70, 3)
    buckets, texts = make_buckets(70, 4, extras={"teacher_logits": extra}), make_examples(70).texts
    for (inputs, labels), _ in take(buckets, 20):
        assert (inputs["teacher_logits"] == extra[labels]).all()
        expected = tokenizer([texts[i] for i in labels], sequence_length=16)
        assert all((inputs[name] == expected[name].numpy()).all() for name in expected)


def test_without_labels_a_batch_is_its_inputs(tokenizer):
    buckets = LengthBuckets(Examples(["a film", "dull"]), tokenizer, 16, 2)
    batch, position = next(buckets.batches())
    assert set(batch) == {"token_ids", "segment_ids", "padding_mask"}
    assert len(position) == 2


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("sequence_length", [3, 4, 9, 16, 64])
def test_rows_are_what_the_tokenizer_makes(tokenizer, pairs, sequence_length):
    examples = make_examples(60, pairs)
    tokens = TokenizedExamples(examples, tokenizer, sequence_length)
    for places in (np.arange(60), np.array([7, 3, 3, 59]), np.array([5])):
        second = [examples.text_pairs[i] for i in places] if pairs else None
        expected = tokenizer([examples.texts[i] for i in places], second, sequence_length=sequence_length)
        rows = tokens.rows(places)
        assert set(rows) == set(expected)
        for name in rows:
            assert rows[name].dtype == np.int32
            np.testing.assert_array_equal(rows[name], expected[name].numpy())
    everything = tokenizer(examples.texts, examples.text_pairs, sequence_length=sequence_length)
    assert (tokens.lengths == everything["padding_mask"].numpy().sum(axis=1)).all()
    assert len(tokens) == 60


def test_many_texts_are_tokenized_in_pieces(tokenizer, monkeypatch):
    examples = make_examples(50)
    expected = TokenizedExamples(examples, tokenizer, 16).rows(np.arange(50))
    monkeypatch.setattr("tinybert_tf.data.batches._CHUNK", 7)
    rows = TokenizedExamples(examples, tokenizer, 16).rows(np.arange(50))
    assert all((rows[name] == expected[name]).all() for name in rows)


def test_cut_rows_are_counted(tokenizer):
    lengths = [0, 5, 6, 7, 20]
    texts = [" ".join(["film"] * n) for n in lengths]
    assert TokenizedExamples(Examples(texts), tokenizer, 8).num_truncated == 2  # six fit
    assert TokenizedExamples(Examples(texts), tokenizer, 64).num_truncated == 0
    assert TokenizedExamples(Examples(texts, texts), tokenizer, 15).num_truncated == 2  # twelve fit, 6 + 6
    assert TokenizedExamples(Examples(texts, texts[::-1]), tokenizer, 15).num_truncated == 2  # 20 + 0 do not


def test_no_examples_make_no_rows(tokenizer):
    for pairs in (None, []):
        tokens = TokenizedExamples(Examples([], pairs), tokenizer, 8)
        assert len(tokens) == tokens.num_truncated == 0


def test_pairs_are_refused_for_a_model_of_one_segment(tokenizer):
    one_segment = BertTokenizer(tokenizer.vocabulary, takes_pairs=False)
    assert len(TokenizedExamples(make_examples(3), one_segment, 16)) == 3
    with pytest.raises(InputError, match=r"^text_pairs: got second texts; expected one text per row"):
        TokenizedExamples(make_examples(3, True), one_segment, 16)
