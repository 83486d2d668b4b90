"""Mixtures of two texts' embeddings, which teacher and student both read (MixKD, arXiv 2011.00593)."""

import math

from keras import ops

from tinybert_tf.configs import KEPT_SHARE, MIXED_WITH


def mix(inputs: dict, share: float, draws) -> dict:
    """Returns inputs in which some texts are mixed with the next one of the batch.

    Where both texts have a token, both models read λ times the first one's embedding and 1 - λ times the other's; where
    one text has ended, they read the longer one's. λ has the distribution Beta(½, ½); MixKD draws from Beta(0.4, 0.4).

    Args:
        inputs: The three tensors of a BERT, each `[batch, length]`.
        share: Probability that a text is mixed.
        draws: Uniform numbers from 0 to 1, `[2, batch]`: whether each text is mixed, and its λ.

    Returns:
        The inputs with a wider `padding_mask`; with `mixed_with` `[batch]`, the place of each text's partner in the
        batch; and with `kept_share` `[batch, length]`, the share of the text's own embedding at each token.
    """
    mask = ops.cast(inputs["padding_mask"], "bool")
    places = ops.arange(ops.shape(mask)[0])
    others = ops.where(draws[0] < share, ops.roll(places, -1), places)
    kept = ops.square(ops.sin(0.5 * math.pi * draws[1]))[:, None]
    other_mask = ops.take(mask, others, axis=0)
    alone = ops.logical_or(ops.logical_not(other_mask), (others == places)[:, None])  # 1 exactly: λ would round
    kept = ops.where(mask, ops.where(alone, 1.0, kept), 0.0)
    wider = ops.cast(ops.logical_or(mask, other_mask), inputs["padding_mask"].dtype)
    return inputs | {"padding_mask": wider, MIXED_WITH: others, KEPT_SHARE: kept}
