"""Splits by a document's own key, so that no text ever changes its split; and a seeded share of each class."""

import hashlib
from collections.abc import Sequence

import numpy as np

# The buckets, of a hundred, that the packaged tasks evaluate on.
_DEV, _TEST = range(0, 10), range(10, 30)
_MOST_COPIES = 5  # of a text that is held out; more in files of more than 500 rows


def bucket(key: str, buckets: int = 100) -> int:
    """Returns the bucket, from 0, that the SHA-256 of a key falls into."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets


def split_of(key: str) -> str:
    """Returns "train" (70 %), "dev" (10 %) or "test" (20 %) for the id or title of an example."""
    number = bucket(key)
    return "dev" if number in _DEV else "test" if number in _TEST else "train"


def held_out(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Returns the places of a seeded share of the examples, of each class the same share; sorted.

    The rows are sorted by class, in random order within each, and one in so many is taken. So a class loses its share,
    rounded up or down, and never its only row. A text of several classes counts for its rarest one; numbers are drawn
    as they come.

    Args:
        labels: Class numbers `[examples]`, rows of 0 and 1 `[examples, classes]`, or float numbers `[examples]`.
        share: Share of the examples, below a half.
        seed: Seed of the draw.
    """
    rng, count = np.random.default_rng(seed), round(share * len(labels))
    if labels.ndim == 1 and labels.dtype.kind == "f":
        return np.sort(rng.permutation(len(labels))[:count])
    groups = _rarest(labels) if labels.ndim == 2 else labels
    order = np.lexsort((rng.random(len(groups)), groups))
    order = order[np.bincount(groups)[groups[order]] > 1]
    count = min(count, len(order) // 2)
    places = ((np.arange(count) + rng.random()) * len(order) / max(1, count)).astype(int)
    return np.sort(order[places])


def held_out_texts(texts: Sequence[str], labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Returns the places of a seeded share of the texts, with all rows of each; sorted. Without copies see `held_out`.

    A text stays if it stands in many rows, which would make the share a large one, or in the only row of a class.

    Args:
        texts: Text or pair of texts of each row, equal where they are the same.
        labels: As for `held_out`.
        share: Share of the texts, below a half.
        seed: Seed of the draw.
    """
    _, first, group, counts = np.unique(texts, return_index=True, return_inverse=True, return_counts=True)
    stays = counts > max(_MOST_COPIES, len(texts) // 100)
    if labels.ndim == 2 or labels.dtype.kind != "f":
        classes = _rarest(labels) if labels.ndim == 2 else labels
        only = np.bincount(classes)[classes] == 1
        stays |= (np.bincount(group, only) > 0) & (counts > 1)
    order = np.sort(first[~stays])
    chosen = order[held_out(labels[order], share, seed)]
    return np.flatnonzero(np.isin(first[group], chosen))


def _rarest(labels: np.ndarray) -> np.ndarray:
    """Returns the rarest class of each row of 0 and 1, `[examples]`; the number of classes where a row has none."""
    order = np.argsort(labels.sum(axis=0), kind="stable")
    first = labels[:, order].argmax(axis=1)
    return np.where(labels.any(axis=1), order[first], labels.shape[1])
