"""What a distiller refuses: settings without a meaning, and models that cannot be compared."""

import dataclasses
import math

import keras

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation.features import ANSWERS, LOGITS
from tinybert_tf.distillation.losses import all_losses
from tinybert_tf.distillation.matches import Match, all_matches
from tinybert_tf.distillation.matches import layer_map as resolve_layer_map
from tinybert_tf.errors import InputError

PROJECTIONS = ("per_layer", "shared")


def check_settings(weights: LossWeights, temperature: float, projection: str, mixup: float) -> None:
    """Raises InputError for settings without a meaning, RuntimeError on a backend other than TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"Keras runs on {keras.backend.backend()!r}; TinyBertDistiller needs 'tensorflow'")
    if projection not in PROJECTIONS:
        raise InputError("projection", repr(projection), f"one of {', '.join(PROJECTIONS)}")
    if not 0 < temperature < math.inf:
        raise InputError("temperature", temperature, "a number above 0")
    if not 0 <= mixup <= 1:
        raise InputError("mixup", mixup, "a probability, from 0 to 1")
    numbers = keras.tree.flatten(dataclasses.astuple(weights))
    if not all(0 <= number < math.inf for number in numbers) or not any(numbers):
        raise InputError("loss_weights", weights, "weights of 0 or more, not all 0")


def check_pair(teacher, student, layer_map: str, weights: LossWeights, relation_heads: int) -> None:
    """Raises InputError unless the second model's layers can imitate the first one's.

    Args:
        teacher: A model, or the parts of a saved one: what has a config and a tokenizer.
        student: Likewise.
        layer_map: Teacher layer for each student layer, as for `TinyBertDistiller`.
        weights: Weights of the losses between layers.
        relation_heads: Heads of the relation loss.
    """
    layers = resolve_layer_map(layer_map, student.config.num_layers, teacher.config.num_layers)
    check_models(teacher, student, all_matches(all_losses(relation_heads=relation_heads), layers, weights))


def check_models(teacher, student, matches: list[Match]) -> None:
    """Raises InputError unless the two models can be compared in the way asked for; `teacher` may be None."""
    if teacher is None:
        if not all(match.loss.feature.is_answer for match in matches):
            raise InputError("teacher", "none", "a model, to match its layers")
        teacher = student  # which has to give answers of the kind that is matched, and nothing else
    ours, theirs = student.config, teacher.config
    for match in matches:
        match.loss.check_shapes(ours, theirs)
    if ours.vocabulary_size != theirs.vocabulary_size:
        raise InputError("student", f"{ours.vocabulary_size} WordPieces", f"the teacher's {theirs.vocabulary_size}")
    tokenizers = student.tokenizer, teacher.tokenizer
    if None not in tokenizers and tokenizers[0].vocabulary != tokenizers[1].vocabulary:
        raise InputError("student", "another vocabulary of the same size", "the teacher's vocabulary")
    if None not in tokenizers:
        for (name, value), expected in zip(tokenizers[0].normalization.items(), tokenizers[1].normalization.values()):
            if value != expected:
                raise InputError("student", f"{name}={value}", f"{expected}, as the teacher")
    answer = next((match.loss.feature for match in matches if match.loss.feature.is_answer), None)
    if answer is None:
        return
    kind = next(kind for kind, feature in ANSWERS.items() if feature is answer)
    for name, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, kind):
            head = isinstance(model, tuple(ANSWERS))
            got = f"a {type(model).__name__}" if head else "an encoder without logits"
            raise InputError(name, got, f"a {kind.__name__}, to match predictions")
    if answer is not LOGITS:
        return
    if student.labels != teacher.labels:
        raise InputError("student", f"labels {student.labels}", f"the teacher's {teacher.labels}, in their order")
    if student.multi_label != teacher.multi_label:
        raise InputError("student", f"a {student.problem_type}", f"a {teacher.problem_type}, as the teacher")
