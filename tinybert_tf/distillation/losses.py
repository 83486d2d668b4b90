"""The four losses of TinyBERT (arXiv 1909.10351, section 3.1), blind to padding.

Every loss returns one number a sentence, `[batch]`: a mean over that sentence's valid positions. So neither
padding, nor the make-up of a batch, nor gradient accumulation changes what a sentence contributes. A row that is
all padding contributes 0.
"""

import keras
from keras import ops


class _Loss:
    """What the losses share: a configuration that rebuilds them."""

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """Rebuilds a loss from `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class AttentionLoss(_Loss):
    """Mean squared difference of pre-softmax attention scores over heads and valid (query, key) pairs (eq. 7)."""

    def __call__(self, student_scores, teacher_scores, padding_mask):
        """Args: scores `[batch, heads, query, key]`; `padding_mask` `[batch, length]`. Returns `[batch]`."""
        student_scores, teacher_scores = _float(student_scores), _float(teacher_scores)
        mask = _float(padding_mask)
        squares = ops.mean(ops.square(student_scores - teacher_scores), axis=1)
        return _masked_mean(squares, mask[:, :, None] * mask[:, None, :], axis=(1, 2))


@keras.saving.register_keras_serializable(package="tinybert_tf")
class HiddenLoss(_Loss):
    """Mean squared difference of projected hidden states over valid tokens and features (eqs. 8 and 9)."""

    def __call__(self, student_hidden, teacher_hidden, padding_mask):
        """Args: both hidden states `[batch, length, teacher_dim]`; `padding_mask` `[batch, length]`. `[batch]`."""
        student_hidden, teacher_hidden = _float(student_hidden), _float(teacher_hidden)
        squares = ops.mean(ops.square(student_hidden - teacher_hidden), axis=-1)
        return _masked_mean(squares, _float(padding_mask), axis=1)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class PredictionLoss(_Loss):
    """Soft cross-entropy −softmax(z_T/t)·log_softmax(z_S/t), summed over classes (eq. 10).

    With a single output, which is regression, the squared difference to the teacher's output.

    Args:
        temperature: t, which divides both models' logits. There is no t² factor.
    """

    def __init__(self, temperature: float = 1.0):
        self.temperature = temperature

    def __call__(self, student_logits, teacher_logits):
        """Args: both logits `[batch, classes]`. Returns `[batch]`."""
        student_logits, teacher_logits = _float(student_logits), _float(teacher_logits)
        if student_logits.shape[-1] == 1:
            return ops.squeeze(ops.square(student_logits - teacher_logits), -1)
        targets = ops.softmax(teacher_logits / self.temperature)
        return -ops.sum(targets * ops.log_softmax(student_logits / self.temperature), axis=-1)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"temperature": self.temperature}


def _float(x):
    """Losses are computed in float32 whatever the models compute in."""
    return ops.cast(x, "float32")


def _masked_mean(values, mask, axis):
    """Mean of `values` where `mask` is 1; 0 where it is 1 nowhere."""
    return ops.sum(values * mask, axis=axis) / ops.maximum(ops.sum(mask, axis=axis), 1.0)
