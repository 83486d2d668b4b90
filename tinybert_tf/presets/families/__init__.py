"""One file per model family: `config.json`, names of the tensors, order of the vocabulary."""

from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.presets.families.bert import Bert
from tinybert_tf.presets.families.mpnet import Mpnet

# By `model_type` in config.json, and by `EncoderConfig.family`. A family is a file here and a line in this table.
FAMILIES: dict[str, Bert] = {family.model_type: family for family in (Bert(), Mpnet())}

# Keys of models that have BERT's sizes and are none.
_OTHERS = ("embedding_size", "num_hidden_groups", "relative_attention_num_buckets", "position_buckets")


def family_of(content: dict, file: Path) -> Bert:
    """Returns the family of the model that a `config.json` describes.

    BERTs were published before there was a `model_type`: without one, a description of a BERT and of nothing else
    is a BERT's.

    Args:
        content: Content of the file.
        file: Path of the file, for errors.

    Raises:
        InputError: The family is unknown, or not clear.
    """
    known = " or ".join(map(repr, FAMILIES))
    kind = content.get("model_type")
    if kind is None:
        unclear = [name for name in _OTHERS if name in content]
        if unclear or "hidden_size" not in content:
            got = f"{file} without model_type, and {'with ' + unclear[0] if unclear else 'without hidden_size'}"
            raise InputError("preset", got, f"model_type {known}")
        kind = Bert.model_type
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError("preset", f"{file} with model_type {kind!r}", known)
    return FAMILIES[kind]
