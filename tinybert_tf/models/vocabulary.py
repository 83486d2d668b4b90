"""A model with fewer WordPieces: the rows of those that stay, and everything else as it is."""

from collections.abc import Sequence

import keras
import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.tokenizer import BertTokenizer


def with_pieces(model: BertEncoder | ModelWithHead, kept: Sequence[int]) -> BertEncoder | ModelWithHead:
    """Returns a model that has some of another's WordPieces.

    It computes the same from texts that are made of these pieces.

    Args:
        model: An encoder, or a model with a head, that has a tokenizer; it stays as it is.
        kept: Ids of the pieces that stay, ascending; the special tokens among them.

    Raises:
        InputError: A special token is missing.
    """
    old = model.tokenizer
    lacking = {old.pad_id, old.unk_id, old.cls_id, old.sep_id, *([old.mask_id] if old.mask_id else [])} - set(kept)
    if lacking:
        raise InputError("kept", f"none of {', '.join(old.vocabulary[i] for i in sorted(lacking))}", "special tokens")
    tokenizer = BertTokenizer.from_config(old.get_config() | {"vocabulary": [old.vocabulary[i] for i in kept]})
    source = model if isinstance(model, BertEncoder) else model.encoder
    shape = {"vocabulary_size": len(kept), "tokenizer": keras.saving.serialize_keras_object(tokenizer)}
    encoder = BertEncoder.from_config(source.get_config() | shape)
    made = encoder if source is model else type(model)(**model.get_config() | {"encoder": encoder})
    for theirs, ours in zip(model.weights, made.weights, strict=True):
        value = np.asarray(theirs)
        ours.assign(value if value.shape == ours.shape else value[np.asarray(kept)])
    return made
