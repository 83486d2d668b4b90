"""One file per model family: `config.json`, names of the tensors, order of the vocabulary."""

from tinybert_tf.presets.families.bert import Bert
from tinybert_tf.presets.families.mpnet import Mpnet

# By `model_type` in config.json, and by `EncoderConfig.family`. A family is a file here and a line in this table.
FAMILIES: dict[str, Bert] = {family.model_type: family for family in (Bert(), Mpnet())}
