"""Variants of a text, drawn from the words that may stand at its places (arXiv 1909.10351, algorithm 1)."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.augmentation.augmenter import Place


def make_variants(
    text: str, places: Sequence[Place], num_variants: int, probability: float, rng: np.random.Generator
) -> list[str]:
    """Returns up to `num_variants` different variants of a text, none of them the text itself.

    Each place changes with the given probability, to a candidate that is drawn uniformly.

    Args:
        text: The original.
        places: The text's places, from `Augmenter.places`.
        num_variants: Number of variants that are drawn, the paper's N; duplicates are dropped.
        probability: Probability that a place changes, the paper's p.
        rng: Generator of the draws.
    """
    variants = {}
    for _ in range(num_variants):
        parts, done = [], 0
        for place in places:
            if rng.random() < probability:
                parts += [text[done : place.start], place.candidates[rng.integers(len(place.candidates))]]
                done = place.end
        variants["".join([*parts, text[done:]])] = None
    variants.pop(text, None)
    return list(variants)


def make_pair_variants(
    texts: tuple[str, str | None],
    places: tuple[Sequence[Place], Sequence[Place]],
    num_variants: int,
    probability: float,
    rng: np.random.Generator,
) -> list[tuple[str, str | None]]:
    """Like `make_variants`, for an example of one text or two: one text changes, the other stays the original."""
    first, second = texts
    made = [(v, second) for v in make_variants(first, places[0], num_variants, probability, rng)]
    if second is not None:
        made += [(first, v) for v in make_variants(second, places[1], num_variants, probability, rng)]
    return made
