import dataclasses
import fractions
import math

import numpy as np
import pytest

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import layer_map
from tinybert_tf.distillation.losses import all_losses
from tinybert_tf.distillation.matches import all_matches
from tinybert_tf.errors import InputError

GRID = [(m, n) for m in range(1, 14) for n in range(1, 25)]


@pytest.mark.parametrize(
    ("spec", "m", "n", "expected"),
    [
        ("uniform", 4, 12, (3, 6, 9, 12)),
        ("uniform", 6, 12, (2, 4, 6, 8, 10, 12)),
        ("uniform", 4, 6, (2, 3, 5, 6)),
        ("uniform", 4, 24, (6, 12, 18, 24)),
        ("uniform", 3, 3, (1, 2, 3)),
        ("uniform", 4, 2, (1, 1, 2, 2)),
        ("top", 4, 12, (9, 10, 11, 12)),
        ("bottom", 4, 12, (1, 2, 3, 4)),
        ("2,3,5,6", 4, 6, (2, 3, 5, 6)),
        (" 1, 1 ,12", 3, 12, (1, 1, 12)),
        ("5", 1, 6, (5,)),
        ([1, 3, 4, 6], 4, 6, (1, 3, 4, 6)),
        (np.array([2, 6]), 2, 6, (2, 6)),
    ],
)
def test_examples(spec, m, n, expected):
    layers = layer_map(spec, m, n)
    assert layers == expected
    assert {type(layer) for layer in layers} == {int}


def test_uniform_for_any_depths():
    for m, n in GRID:
        layers = layer_map("uniform", m, n)
        assert list(layers) == [math.ceil(fractions.Fraction(i * n, m)) for i in range(1, m + 1)]
        assert list(layers) == sorted(layers)
        assert layers[0] >= 1
        assert layers[-1] == n
        steps = np.diff([0, *layers])
        assert steps.max() - steps.min() <= 1
        assert set(layers) == set(range(1, n + 1)) if m >= n else len(set(layers)) == m


def test_top_and_bottom_for_any_depths():
    for m, n in GRID:
        for strategy, expected in (("top", range(n - m + 1, n + 1)), ("bottom", range(1, m + 1))):
            if m <= n:
                assert layer_map(strategy, m, n) == tuple(expected)
            else:
                with pytest.raises(InputError, match="at most as many"):
                    layer_map(strategy, m, n)


def test_what_it_returns_is_an_explicit_map():
    for m, n in GRID:
        layers = layer_map("uniform", m, n)
        assert layer_map(layers, m, n) == layers
        assert layer_map(",".join(map(str, layers)), m, n) == layers


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("middle", "got 'middle'; expected uniform, top, bottom, or layers such as 2,3,5,6"),
        ("", "got ''; expected uniform"),
        ("1,2;3,4", "got '1,2;3,4'; expected uniform"),
        ("2,4,6", "got 2,4,6; expected 4 teacher layers"),
        ([1, 2, 3, 4, 5], "got 1,2,3,4,5; expected 4 teacher layers"),
        ([0, 2, 4, 6], "got 0,2,4,6; expected teacher layers from 1 to 6"),
        ("2,4,6,7", "got 2,4,6,7; expected teacher layers from 1 to 6"),
        ([1, 3, 2, 4], "got 1,3,2,4; expected teacher layers that do not go down"),
    ],
)
def test_one_clear_error(spec, message):
    with pytest.raises(InputError, match=r"^layer_map: ") as raised:
        layer_map(spec, 4, 6)
    assert message in str(raised.value)


def matches(weights):
    """What a student of two layers matches: names, layers, weights."""
    found = all_matches(all_losses(), (3, 6), weights)
    return [(match.name, match.student_layer, match.teacher_layer, match.weight) for match in found]


def test_matches_of_every_layer():
    assert matches(LossWeights(0.5, 2.0, (1.0, 4.0), 1.5, (0.25, 8.0))) == [
        ("embedding_loss", 0, 0, 0.5),
        ("hidden_loss", 1, 3, 2.0),
        ("hidden_loss", 2, 6, 2.0),
        ("attention_loss", 1, 3, 1.0),
        ("attention_loss", 2, 6, 4.0),
        ("relation_loss", 1, 3, 0.25),
        ("relation_loss", 2, 6, 8.0),
        ("prediction_loss", None, None, 1.5),
    ]


def test_a_weight_of_zero_matches_nothing():
    assert matches(LossWeights(embedding=0.0, hidden=[0.0, 1.0], attention=0.0)) == [("hidden_loss", 2, 6, 1.0)]
    assert matches(LossWeights.prediction_only()) == [("prediction_loss", None, None, 1.0)]


def test_every_weight_belongs_to_a_loss():
    assert {loss.name for loss in all_losses()} == {field.name for field in dataclasses.fields(LossWeights)}


@pytest.mark.parametrize("loss", ["hidden", "attention", "relation"])
@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0, 1.0), ()])
def test_weights_by_layer_are_one_a_layer(loss, weights):
    with pytest.raises(InputError, match=f"^{loss}_weight: got {len(weights)} numbers; expected one, or 2"):
        matches(LossWeights(**{loss: weights}))
