"""Masked-language-model batches from packed text (Devlin et al., 2018, section 3.1)."""

from collections.abc import Iterator

import numpy as np

from tinybert_tf.data.packing import PackedText, Position
from tinybert_tf.tokenizer import BertTokenizer

MASK_SHARE, RANDOM_SHARE = 0.8, 0.1  # shares of the chosen tokens; the rest stay as they are


def mask_tokens(
    batch: dict, tokenizer: BertTokenizer, probability: float, rng: np.random.Generator
) -> tuple[dict, np.ndarray]:
    """Chooses tokens to be guessed and hides them.

    Args:
        batch: Full rows, `[batch, length]`.
        tokenizer: A tokenizer with a `[MASK]`.
        probability: Share of each row's tokens that is chosen: at least one token, never a special one.
        rng: Generator of the random choices.

    Returns:
        The inputs, with `masked_positions` `[batch, chosen]`; and the chosen tokens' ids, of the same shape.
    """
    ids = batch["token_ids"].copy()
    special = np.isin(ids, (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id))
    count = max(1, round(probability * ids.shape[1]))
    order = np.argsort(rng.random(ids.shape) + special, axis=1)
    positions = np.sort(order[:, :count], axis=1).astype(np.int32)
    rows = np.arange(len(ids))[:, None]
    labels = ids[rows, positions]
    draw = rng.random(positions.shape)
    random_ids = rng.integers(len(tokenizer.vocabulary), size=positions.shape)
    hidden = np.where(draw < MASK_SHARE, tokenizer.mask_id, labels)
    ids[rows, positions] = np.where(draw >= 1 - RANDOM_SHARE, random_ids, hidden)
    return {**batch, "token_ids": ids, "masked_positions": positions}, labels


class MaskedText:
    """Endless masked batches of packed text; the batch at a position depends on the text and the seed alone."""

    def __init__(self, text: PackedText, probability: float):
        self.text, self.probability = text, probability

    def batches(self, start: list) -> Iterator[tuple[tuple, Position]]:
        """Yields ((inputs, labels), the position after them)."""
        for batch, position in self.text.batches(Position(*start)):
            yield self._mask(batch, [self.text.seed, 1, *position]), position

    def held_out(self, num_sequences: int) -> list[tuple[dict, np.ndarray]]:
        """Returns batches of masked held-out sequences, none if the corpus holds none out."""
        return [self._mask(b, [self.text.seed, 2, i]) for i, b in enumerate(self.text.held_out(num_sequences))]

    def _mask(self, batch: dict, seed: list[int]) -> tuple[dict, np.ndarray]:
        return mask_tokens(batch, self.text.tokenizer, self.probability, np.random.default_rng(seed))
