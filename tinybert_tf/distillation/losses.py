"""The four losses of TinyBERT (arXiv 1909.10351, section 3.1), blind to padding.

Every loss returns one number per sentence, `[batch]`: a mean over that sentence's valid positions. So neither
padding, nor the make-up of a batch, nor gradient accumulation changes what a sentence contributes. A row that is
all padding contributes 0.

To add a loss: write its class here and name it in `all_losses`, add its weight to `configs.LossWeights` and its flag
to `settings.shared.Distillation`.
"""

import keras
from keras import ops

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.distillation.features import ATTENTION_SCORES, HIDDEN_STATES, LOGITS, Feature
from tinybert_tf.errors import InputError


class Loss:
    """What a loss compares and what that needs of the two models; called with the student's and the teacher's feature.

    Attributes:
        name: Name of its weight in `LossWeights`; with `_loss` after it, the name that is logged.
        feature: The feature of both models that it compares.
        projected: Whether a projection W brings the student's feature to the teacher's width.
        equal_heads: Whether heads are compared one to one.
    """

    name: str
    feature: Feature
    projected = False
    equal_heads = False

    def layers(self, layer_map: tuple[int, ...]) -> list[tuple[int | None, int | None]]:
        """Returns pairs of a student layer and a teacher layer to compare: every m with g(m), if not overridden."""
        return list(enumerate(layer_map, start=1))

    def check_shapes(self, student: EncoderConfig, teacher: EncoderConfig) -> None:
        """Raises InputError where encoders of these shapes cannot be compared."""
        if self.equal_heads and student.num_heads != teacher.num_heads:
            expected = f"{teacher.num_heads}, as the teacher: heads are paired"
            raise InputError("student", f"{student.num_heads} heads", expected)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """Rebuilds a loss from `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class AttentionLoss(Loss):
    """Mean squared difference of pre-softmax attention scores over heads and valid (query, key) pairs (eq. 7)."""

    name = "attention"
    feature = ATTENTION_SCORES
    equal_heads = True

    def __call__(self, student_scores, teacher_scores, padding_mask):
        """Compares scores `[batch, heads, query, key]`, given a mask `[batch, length]`. Returns `[batch]`."""
        student_scores, teacher_scores = _float(student_scores), _float(teacher_scores)
        mask = _float(padding_mask)
        squares = ops.mean(ops.square(student_scores - teacher_scores), axis=1)
        return _masked_mean(squares, mask[:, :, None] * mask[:, None, :], axis=(1, 2))


@keras.saving.register_keras_serializable(package="tinybert_tf")
class HiddenLoss(Loss):
    """Mean squared difference of projected hidden states over valid tokens and features (eq. 8)."""

    name = "hidden"
    feature = HIDDEN_STATES
    projected = True

    def __call__(self, student_hidden, teacher_hidden, padding_mask):
        """Compares states `[batch, length, teacher_dim]`, given a mask `[batch, length]`. Returns `[batch]`."""
        student_hidden, teacher_hidden = _float(student_hidden), _float(teacher_hidden)
        squares = ops.mean(ops.square(student_hidden - teacher_hidden), axis=-1)
        return _masked_mean(squares, _float(padding_mask), axis=1)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class EmbeddingLoss(HiddenLoss):
    """The hidden loss of the embedding outputs (eq. 9)."""

    name = "embedding"

    def layers(self, layer_map):
        """Returns layer 0 of both models: the embedding output."""
        return [(0, 0)]


@keras.saving.register_keras_serializable(package="tinybert_tf")
class PredictionLoss(Loss):
    """Soft cross-entropy −softmax(z_T/t)·log_softmax(z_S/t), summed over classes (eq. 10).

    With a single output, which is regression, the squared difference to the teacher's output.

    Args:
        temperature: t, which divides both models' logits. There is no t² factor.
    """

    name = "prediction"
    feature = LOGITS

    def __init__(self, temperature: float = 1.0):
        self.temperature = temperature

    def layers(self, layer_map):
        """Returns one pair without layers: logits are the whole model's."""
        return [(None, None)]

    def __call__(self, student_logits, teacher_logits, padding_mask=None):
        """Compares logits `[batch, classes]`; they have no positions, so a mask changes nothing. Returns `[batch]`."""
        student_logits, teacher_logits = _float(student_logits), _float(teacher_logits)
        if student_logits.shape[-1] == 1:
            return ops.squeeze(ops.square(student_logits - teacher_logits), -1)
        targets = ops.softmax(teacher_logits / self.temperature)
        return -ops.sum(targets * ops.log_softmax(student_logits / self.temperature), axis=-1)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"temperature": self.temperature}


def all_losses(temperature: float = 1.0) -> list[Loss]:
    """Returns every loss that a distiller can apply, in the order in which they are summed and logged."""
    return [EmbeddingLoss(), HiddenLoss(), AttentionLoss(), PredictionLoss(temperature)]


def _float(x):
    """Losses are computed in float32 whatever the models compute in."""
    return ops.cast(x, "float32")


def _masked_mean(values, mask, axis):
    """Mean of `values` where `mask` is 1; 0 where it is 1 nowhere."""
    return ops.sum(values * mask, axis=axis) / ops.maximum(ops.sum(mask, axis=axis), 1.0)
