"""Labelled texts, or pairs of texts."""

import dataclasses
import hashlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples in the order of their source.

    Args:
        texts: One text per example.
        text_pairs: A second text per example, or None.
        labels: Class numbers, or floats for regression, `[examples]`; None where they are not known.
        ids: The source's names for the examples, for prediction files; their places by default.
    """

    texts: list[str]
    text_pairs: list[str] | None = None
    labels: np.ndarray | None = None
    ids: list | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places) -> "Examples":
        """Returns the examples at these places."""

        def pick(values):
            return None if values is None else [values[i] for i in places]

        labels = None if self.labels is None else self.labels[places]
        ids = self.ids if self.ids is not None else range(len(self))
        return Examples(pick(self.texts), pick(self.text_pairs), labels, pick(ids))

    def joined(self, more: "Examples") -> "Examples":
        """Returns these examples and then others, of the same columns, without their labels and names."""
        pairs = None if self.text_pairs is None else self.text_pairs + more.text_pairs
        return Examples(self.texts + more.texts, pairs)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of texts and labels."""
        digest = hashlib.sha256()
        for text in [*self.texts, "\x00", *(self.text_pairs or [])]:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\x00")
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels))
        return digest.hexdigest()
