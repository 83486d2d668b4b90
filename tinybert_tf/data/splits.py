"""Splits that depend only on a document's own key, so that no text ever changes its split."""

import hashlib

# The buckets, of a hundred, that the packaged tasks evaluate on.
_DEV, _TEST = range(0, 10), range(10, 30)


def bucket(key: str, buckets: int = 100) -> int:
    """Returns the bucket, from 0, that the SHA-256 of a key falls into."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets


def split_of(key: str) -> str:
    """Returns "train" (70 %), "dev" (10 %) or "test" (20 %) for the id or title of an example."""
    number = bucket(key)
    return "dev" if number in _DEV else "test" if number in _TEST else "train"
