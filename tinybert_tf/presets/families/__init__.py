"""One file per model family: `config.json`, names of the tensors, order of the vocabulary."""

from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.presets.families.bert import Bert
from tinybert_tf.presets.families.distilbert import DistilBert
from tinybert_tf.presets.families.electra import Electra
from tinybert_tf.presets.families.mpnet import Mpnet

# By `model_type` in config.json, and by `EncoderConfig.family`. A family is a file here and a line in this table.
FAMILIES: dict[str, Bert] = {family.model_type: family for family in (Bert(), Mpnet(), DistilBert(), Electra())}

# Families that were published before there was a `model_type`, and keys of others that have BERT's sizes.
_OLD = (Bert, DistilBert)
_OTHERS = ("embedding_size", "num_hidden_groups", "relative_attention_num_buckets", "position_buckets")


def family_of(content: dict, file: Path) -> Bert:
    """Returns the family of the model that a `config.json` describes.

    Without a `model_type`, it is known by its name for the width, if there is nothing that another family has.

    Args:
        content: Content of the file.
        file: Path of the file, for errors.

    Raises:
        InputError: The family is unknown, or not clear.
    """
    known = " or ".join(map(repr, FAMILIES))
    kind = content.get("model_type")
    if kind is None:
        others = [name for name in _OTHERS if name in content]
        kinds = [family.model_type for family in _OLD if family.sizes["hidden_dim"][0] in content]
        if others or len(kinds) != 1:
            got = f"{file} without model_type, and {'with ' + others[0] if others else 'of an unknown kind'}"
            raise InputError("preset", got, f"model_type {known}")
        kind = kinds[0]
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError("preset", f"{file} with model_type {kind!r}", known)
    return FAMILIES[kind]
