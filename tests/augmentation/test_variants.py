"""How variants are drawn."""

import numpy as np
import pytest

from tinybert_tf.augmentation.augmenter import Place
from tinybert_tf.augmentation.variants import make_pair_variants, make_variants

TEXT = "a fine film, a dull story"
PLACES = [Place(2, 6, ("good", "bad")), Place(7, 11, ("play", "tale", "show")), Place(15, 19, ("slow",))]


def make(seed=0, number=20, probability=0.5, text=TEXT, places=PLACES):
    return make_variants(text, places, number, probability, np.random.default_rng(seed))


def test_variants_change_nothing_but_the_places():
    expected = {
        f"a {first} {second}, a {third} story"
        for first in ("fine", "good", "bad")
        for second in ("film", "play", "tale", "show")
        for third in ("dull", "slow")
    } - {TEXT}
    assert set(make(number=2000)) == expected


def test_variants_are_different_and_never_the_text():
    variants = make(number=500)
    assert len(set(variants)) == len(variants) < 24
    assert TEXT not in variants
    assert make(probability=0.0) == []
    assert make(places=[]) == make(number=0) == []


def test_the_seed_draws_variants():
    assert make(1) == make(1) != make(2)


def test_each_place_changes_with_the_probability():
    places = [Place(2 * i, 2 * i + 1, tuple(f"{j}" for j in range(4))) for i in range(400)]
    variants = make(number=30, probability=0.4, text="x " * 400, places=places)
    words = np.array([variant.split() for variant in variants])
    assert words.shape == (30, 400)
    assert (words != "x").mean() == pytest.approx(0.4, abs=0.02)
    assert (words != "x").mean(axis=0).std() == pytest.approx(np.sqrt(0.4 * 0.6 / 30), rel=0.2)  # each by itself
    for j in range(4):
        assert (words == f"{j}").mean() == pytest.approx(0.1, abs=0.02)  # drawn evenly


def test_everything_changes_at_probability_one():
    variants = make(number=200, probability=1.0)
    assert len(variants) == 6
    assert all("slow" in v and "fine" not in v and "film" not in v for v in variants)


def test_of_a_pair_one_text_changes_at_a_time():
    second, second_places = "the film", [Place(4, 8, ("play", "show"))]
    places = (list(PLACES), list(second_places))
    pairs = make_pair_variants((TEXT, second), places, 10, 0.9, np.random.default_rng(0))
    assert places == (PLACES, second_places)
    assert len(set(pairs)) == len(pairs)
    assert all((first == TEXT) != (other == second) for first, other in pairs)
    assert {other for _, other in pairs} == {second, "the play", "the show"}
    assert len([first for first, _ in pairs if first != TEXT]) > 3


def test_a_text_without_second_stays_so():
    pairs = make_pair_variants((TEXT, None), (PLACES, []), 5, 0.5, np.random.default_rng(3))
    assert pairs == [(variant, None) for variant in make(3, 5)]
