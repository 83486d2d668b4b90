"""Hidden states of a whole text, batch by batch, outside the memory."""

import tempfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tinybert_tf.configs import INPUTS
from tinybert_tf.layers.attention import additive_mask


class Spool:
    """Float32 arrays in a temporary file without a name: it is gone when the process is."""

    def __init__(self):
        self._file, self._count = tempfile.TemporaryFile(), 0  # noqa: SIM115

    def __del__(self):
        self._file.close()

    def append(self, array) -> None:
        np.save(self._file, np.asarray(array, np.float32))
        self._count += 1

    def __iter__(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        for _ in range(self._count):
            yield np.load(self._file)


class Text:
    """Batches of tokens, and the passes over them.

    Args:
        batches: Dicts of `token_ids`, `segment_ids` and `padding_mask`, each `[batch, length]`.
        step: Function that is called after every batch of a pass, with the cost of that batch.

    Attributes:
        batches: The batches, int32.
        rows: Number of tokens that are not padding.
    """

    def __init__(self, batches: Iterable[dict], step: Callable[[int], None]):
        self.batches = [{name: np.asarray(batch[name], np.int32) for name in INPUTS} for batch in batches]
        self._valid = [batch["padding_mask"].astype(bool) for batch in self.batches]
        self._masks = [additive_mask(batch["padding_mask"], "float32") for batch in self.batches]
        self.rows = int(sum(valid.sum() for valid in self._valid))
        self._step = step

    def each(self, *sources: Iterable, cost: int = 1) -> Iterator[tuple]:
        """Yields (which tokens are none of the padding, additive attention mask, the sources' items) per batch.

        Args:
            *sources: One item per batch each; the pass ends where the shortest does.
            cost: What a batch costs, in batches of a usual pass: the progress bar counts it.
        """
        for items in zip(self._valid, self._masks, *sources):
            yield items
            self._step(cost)
