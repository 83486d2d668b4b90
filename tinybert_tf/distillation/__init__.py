"""TinyBERT's losses, layer maps and the model that applies them."""

from tinybert_tf.distillation.distiller import TinyBertDistiller
from tinybert_tf.distillation.initialization import initialize_from_teacher
from tinybert_tf.distillation.losses import AttentionLoss, EmbeddingLoss, HiddenLoss, PredictionLoss, RelationLoss
from tinybert_tf.distillation.matches import layer_map

__all__ = [
    "AttentionLoss",
    "EmbeddingLoss",
    "HiddenLoss",
    "PredictionLoss",
    "RelationLoss",
    "TinyBertDistiller",
    "initialize_from_teacher",
    "layer_map",
]
