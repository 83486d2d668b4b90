"""The losses: TinyBERT's four (arXiv 1909.10351, section 3.1) and MiniLMv2's relations, all blind to padding.

Every loss returns one number per sentence, `[batch]`: a mean over that sentence's valid positions. So neither
padding, nor the other sentences of a batch, nor gradient accumulation changes what a sentence contributes. A row
that is all padding contributes 0.

To add a loss: write its class here and name it in `all_losses`, add its weight to `configs.LossWeights` and its flag
to `settings.distillation.Distillation`.
"""

import keras
from keras import ops

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.distillation.features import (
    ATTENTION_SCORES,
    HIDDEN_STATES,
    LOGITS,
    QUERY_KEY_VALUE,
    SPAN_LOGITS,
    Feature,
    answer_of,
)
from tinybert_tf.errors import InputError

# The score of a padded key: exp() makes it 0 beside any valid score, and the difference of two of them is 0.
_MASKED = -1e30


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
            expected = f"{teacher.num_heads}, as the teacher: heads are paired (the relation loss pairs none)"
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
class RelationLoss(Loss):
    """MiniLMv2's multi-head self-attention relations (arXiv 2012.15828, section 3.1): queries, keys and values.

    The vectors of all attention heads are concatenated and split again into A_r relation heads, of width d_r. The
    relations of kind i (queries, keys or values) in relation head a are a distribution over the valid keys x:

        R_i,a = softmax(A_i,a A_i,aᵀ / √d_r)

        loss = Σ_i 1/(A_r·|x|) Σ_a Σ_t KL(R^teacher_i,a,t ‖ R^student_i,a,t)

    So student and teacher may differ in heads and in width, without a projection. The paper compares the student's
    last layer with an upper-middle layer of the teacher (section 3.2); here the layer map and a weight per layer
    decide. Queries are taken before their division by √d_head, keys and queries without any bias by relative position.

    Args:
        relation_heads: A_r, a divisor of both widths.
    """

    name = "relation"
    feature = QUERY_KEY_VALUE

    def __init__(self, relation_heads: int = 12):
        self.relation_heads = relation_heads

    def __call__(self, student_vectors, teacher_vectors, padding_mask):
        """Compares queries, keys and values of all heads, side by side.

        Args:
            student_vectors: The student's, `[batch, length, 3 · student_dim]`.
            teacher_vectors: The teacher's, `[batch, length, 3 · teacher_dim]`.
            padding_mask: 1 for a token, 0 for padding, `[batch, length]`.

        Returns:
            The loss of each sentence, `[batch]`.
        """
        mask = _float(padding_mask)
        ours, theirs = (self._log_relations(x, mask) for x in (student_vectors, teacher_vectors))
        divergences = ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1)
        return _masked_mean(ops.sum(divergences, axis=1) / self.relation_heads, mask, axis=1)

    def _log_relations(self, vectors, mask):
        """Returns the logarithms of all three relations by head: `[batch, 3 · relation_heads, length, length]`."""
        heads, dim = 3 * self.relation_heads, ops.shape(vectors)[-1] // (3 * self.relation_heads)
        split = ops.reshape(_float(vectors), (-1, ops.shape(vectors)[1], heads, dim))
        split = ops.transpose(split, (0, 2, 1, 3))
        scores = ops.matmul(split, ops.transpose(split, (0, 1, 3, 2))) / ops.sqrt(ops.cast(dim, "float32"))
        return ops.log_softmax(ops.where(mask[:, None, None, :] > 0, scores, _MASKED), axis=-1)

    def check_shapes(self, student, teacher):
        """Raises InputError unless the relation heads divide both widths."""
        widths = student.hidden_dim, teacher.hidden_dim
        if self.relation_heads < 1 or any(width % self.relation_heads for width in widths):
            expected = f"a number that divides the student's width {widths[0]} and the teacher's {widths[1]}"
            raise InputError("relation_heads", self.relation_heads, expected)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"relation_heads": self.relation_heads}


@keras.saving.register_keras_serializable(package="tinybert_tf")
class PredictionLoss(Loss):
    """Soft cross-entropy −softmax(z_T/t)·log_softmax(z_S/t), summed over classes (eq. 10).

    With a single output, which means regression, it is the squared difference to the teacher's output.

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
            # A sum of one, because logits from a cache or a file come into the graph without their width.
            return ops.sum(ops.square(student_logits - teacher_logits), axis=-1)
        targets = ops.softmax(teacher_logits / self.temperature)
        return -ops.sum(targets * ops.log_softmax(student_logits / self.temperature), axis=-1)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"temperature": self.temperature}


@keras.saving.register_keras_serializable(package="tinybert_tf")
class MultiLabelPredictionLoss(PredictionLoss):
    """The prediction loss where a text may have any number of classes: soft binary cross-entropy, summed over classes.

    −σ(z_T/t)·log σ(z_S/t) − (1 − σ(z_T/t))·log(1 − σ(z_S/t)): equation 10 with two outcomes for each class, "has it"
    and "has it not", in place of one distribution over all classes.
    """

    def __call__(self, student_logits, teacher_logits, padding_mask=None):
        """Compares logits `[batch, classes]`; they have no positions, so a mask changes nothing. Returns `[batch]`."""
        ours, theirs = (_float(logits) / self.temperature for logits in (student_logits, teacher_logits))
        return ops.sum(ops.softplus(ours) - ops.sigmoid(theirs) * ours, axis=-1)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class SpanPredictionLoss(PredictionLoss):
    """The prediction loss of a question answerer: the mean of two soft cross-entropies, of the start and of the end.

    Each is equation 10 with the valid positions of the sentence as classes.
    """

    feature = SPAN_LOGITS

    def __call__(self, student_logits, teacher_logits, padding_mask):
        """Compares logits `[batch, 2, length]`, given a mask `[batch, length]`. Returns `[batch]`."""
        mask = _float(padding_mask)[:, None]
        student_logits, teacher_logits = (
            ops.where(mask > 0, _float(logits) / self.temperature, _MASKED)
            for logits in (student_logits, teacher_logits)
        )
        targets = ops.softmax(teacher_logits) * mask
        losses = -ops.sum(targets * ops.log_softmax(student_logits), axis=-1)
        return ops.mean(losses, axis=1)


def prediction_loss_of(model) -> type[PredictionLoss]:
    """Returns the prediction loss of a teacher's kind."""
    if answer_of(model) is SPAN_LOGITS:
        return SpanPredictionLoss
    return MultiLabelPredictionLoss if getattr(model, "multi_label", False) else PredictionLoss


def all_losses(
    temperature: float = 1.0, relation_heads: int = 12, prediction: type[PredictionLoss] = PredictionLoss
) -> list[Loss]:
    """Returns every loss that a distiller can apply, in the order in which they are summed and logged."""
    return [EmbeddingLoss(), HiddenLoss(), AttentionLoss(), RelationLoss(relation_heads), prediction(temperature)]


def _float(x):
    """Casts to float32, in which losses are computed whatever the models compute in."""
    return ops.cast(x, "float32")


def _masked_mean(values, mask, axis):
    """Returns the mean of `values` where `mask` is 1; 0 if it is 1 nowhere."""
    return ops.sum(values * mask, axis=axis) / ops.maximum(ops.sum(mask, axis=axis), 1.0)
