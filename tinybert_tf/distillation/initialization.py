"""Better starts than random: the whole student, or its embeddings, projections and head, from the teacher."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tinybert_tf.configs import INPUTS
from tinybert_tf.data.batches import first_tokens
from tinybert_tf.distillation.closed_form import LayerFit, copy_position_bias, cut_from_teacher
from tinybert_tf.distillation.closed_form.least_squares import ridge_solve
from tinybert_tf.distillation.distiller import TinyBertDistiller
from tinybert_tf.distillation.features import SPAN_LOGITS, answer_of, encoder_of
from tinybert_tf.distillation.span_head import initialize_span_head
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertQuestionAnswerer

_PROJECTION_TOKENS = 20_000


def initialize_from_teacher(distiller: TinyBertDistiller, batches: list[dict], head: bool = True) -> list[LayerFit]:
    """Sets the whole student by least squares: embeddings, every layer, the distiller's projections, and a head.

    This is `cut_from_teacher`, then `fit_projections`, then, between two models with the same kind of head,
    `initialize_head_from_teacher`.

    Args:
        distiller: A distiller with a student that is not wider than the teacher.
        batches: Batches of real text, as the distiller takes it: some tens of thousands of tokens.
        head: Whether the head is solved too, where both models have one.

    Returns:
        How well each layer of the student stands for its teacher's.

    Raises:
        InputError: The student is wider than its teacher.
    """
    teacher, student = distiller.teacher, distiller.student
    fits = cut_from_teacher(encoder_of(teacher), encoder_of(student), distiller.layer_map, batches)
    fit_projections(distiller, first_tokens(batches, _PROJECTION_TOKENS))
    if head and answer_of(teacher) is not None and answer_of(teacher) is answer_of(student):
        initialize_head_from_teacher(teacher, student, batches)
    return fits


def initialize_embeddings(distiller: TinyBertDistiller, batches: list[dict]) -> float:
    """Sets the student's embedding tables and the distiller's projections from the teacher's embeddings.

    The teacher's tables (token, position, segment) are written in the basis of the leading principal directions
    of the sums that its layer norm sees on real text. The token table itself counts with equal weight, for tokens
    that the text lacks. (The token table's own directions are worse than random ones: rare tokens dominate them.)
    Then W of the embedding loss is the least-squares map from the student's embedding output to the teacher's, and
    W of the hidden layers start from it too, because all layers of a BERT write to one residual stream.

    Args:
        distiller: A distiller with an untrained student that is not wider than the teacher.
        batches: Batches of real text, as the distiller takes it: some tens of thousands of tokens.

    Returns:
        The share of the squared norm of those sums that the student's directions keep.

    Raises:
        InputError: The student has tables of another width than its layers.
    """
    theirs, ours = (encoder_of(model).embeddings for model in (distiller.teacher, distiller.student))
    if ours.projection is not None:
        got = f"tables of width {ours.embedding_dim} in layers of {ours.hidden_dim}"
        raise InputError("student", got, "one width, for embeddings from the teacher")
    tables, _, _ = theirs.in_hidden_space()
    sums = np.concatenate([_sums(tables, batch) for batch in batches])
    token_table = tables["token_embedding"]
    second_moment = sums.T @ sums / len(sums) + token_table.T @ token_table / len(token_table)
    basis = np.linalg.eigh(second_moment)[1][:, ::-1][:, : distiller.student.config.hidden_dim]
    for name, table in tables.items():
        target = getattr(ours, name).embeddings
        values = np.asarray(target).copy()
        rows = min(len(values), len(table))
        values[:rows, : basis.shape[1]] = table[:rows] @ basis
        target.assign(values)
    copy_position_bias(encoder_of(distiller.teacher), encoder_of(distiller.student))
    projection = _least_squares(ours, theirs, batches)
    for layer in distiller.projections.values():
        layer.kernel.assign(projection)
    return float(np.square(sums @ basis).sum() / np.square(sums).sum())


def _sums(tables: dict[str, np.ndarray], batch: dict) -> np.ndarray:
    """Returns token + position + segment embeddings of every valid token, `[tokens, width]`."""
    ids, segments = np.asarray(batch["token_ids"]), np.asarray(batch["segment_ids"])
    sums = tables["token_embedding"][ids] + tables["position_embedding"][: ids.shape[1]]
    sums = sums + tables["segment_embedding"][segments] if "segment_embedding" in tables else sums
    return sums[np.asarray(batch["padding_mask"], bool)]


def fit_projections(distiller: TinyBertDistiller, batches: list[dict]) -> None:
    """Sets every W of the distiller to the least-squares map from the student's hidden states to the teacher's.

    This is for a student that has learned already: general distillation does not save its projections, and random ones
    would first undo what the student has learned.

    Args:
        distiller: A distiller with a student that is not random.
        batches: Batches of real text, as the distiller takes it: some tens of thousands of tokens.
    """
    layers = {match.student_layer: match.teacher_layer for match in distiller.matches if match.loss.projected}
    if not layers:
        return
    fits = {number: _Fit() for number in layers}
    shared = len({id(layer) for layer in distiller.projections.values()}) == 1
    readers = [_reader(model) for model in (distiller.student, distiller.teacher)]
    for batch in batches:
        valid = np.asarray(batch["padding_mask"], bool)
        ours, theirs = (read(batch) for read in readers)
        for number, teacher_layer in layers.items():
            fit = fits[min(fits)] if shared else fits[number]
            fit.add(ours[number][valid], theirs[teacher_layer][valid])
    for number in [min(fits)] if shared and fits else fits:
        distiller.projections[str(number)].kernel.assign(fits[number].solve())


def _activated(classifier: BertClassifier, values: np.ndarray) -> np.ndarray:
    return np.asarray(classifier.encoder.pooler.activation(values))


def initialize_head_from_teacher(
    teacher: BertClassifier | BertQuestionAnswerer, student: BertClassifier | BertQuestionAnswerer, batches: list[dict]
) -> None:
    """Gives a student that imitates the teacher's last layer a head that imitates the teacher's.

    Phase 1 gives it no gradient; a random one would waste the start of phase 2.

    Args:
        teacher: A fine-tuned model.
        student: A model of the same kind, with the same labels if it has any, that has seen intermediate distillation.
        batches: Batches of real text: a thousand examples and more.
    """
    readers = [_reader(model) for model in (student, teacher)]
    if answer_of(teacher) is SPAN_LOGITS:
        states = ((batch["padding_mask"], *(read(batch)[-1] for read in readers)) for batch in batches)
        initialize_span_head(teacher, student, states)
    else:
        _initialize_classifier_head(teacher, student, batches, readers)


def _initialize_classifier_head(teacher: BertClassifier, student: BertClassifier, batches: list[dict], readers) -> None:
    """Gives a student the teacher's pooler and head, cut to its width.

    With W the least-squares map between the last layers' states, the student's pooler is W times the teacher's, of as
    many units as the student has: those that move the teacher's logits most. Its head is the ridge regression from
    what that pooler puts out to the teacher's logits.
    """
    states, fit = [], _Fit()
    for batch in batches:
        valid = np.asarray(batch["padding_mask"], bool)
        ours, theirs = (read(batch)[-1] for read in readers)
        fit.add(ours[valid], theirs[valid])  # all tokens: [CLS] alone would be too few
        states.append((ours[:, 0], theirs[:, 0]))
    ours, theirs = (np.concatenate(part) for part in zip(*states))
    pooler, pooler_bias, head, head_bias = (
        np.asarray(v, np.float64) for v in (*teacher.encoder.pooler.weights, *teacher.classifier.weights)
    )
    pooled = _activated(teacher, theirs @ pooler + pooler_bias)
    width = min(student.config.hidden_dim, teacher.config.hidden_dim)
    kept = np.argsort(-np.linalg.norm(head, axis=1) * pooled.std(axis=0), kind="stable")[:width]
    variables = [*student.encoder.pooler.weights, *student.classifier.weights]
    values = [np.asarray(v).copy() for v in variables]
    values[0][:, :width], values[1][:width] = fit.solve() @ pooler[:, kept], pooler_bias[kept]
    features = _activated(student, ours @ values[0] + values[1])
    mean, targets = features.mean(axis=0), pooled @ head + head_bias
    head_fit = _Fit(ridge=0.1)
    head_fit.add(features - mean, targets - targets.mean(axis=0))
    values[2] = head_fit.solve()
    values[3] = targets.mean(axis=0) - mean @ values[2]
    for variable, value in zip(variables, values):
        variable.assign(value)


def _reader(model: BertEncoder | BertClassifier) -> Callable[[dict], list[np.ndarray]]:
    """Returns a function from a batch to the model's hidden states, float64; one graph serves every length."""
    encoder = encoder_of(model)

    @tf.function(input_signature=[dict.fromkeys(INPUTS, tf.TensorSpec([None, None], tf.int32))])
    def states(inputs):
        return encoder(inputs, training=False, return_intermediates=True)["hidden_states"]

    def read(batch: dict) -> list[np.ndarray]:
        inputs = {name: tf.cast(batch[name], tf.int32) for name in INPUTS}
        return [np.asarray(state, np.float64) for state in states(inputs)]

    return read


def _least_squares(ours, theirs, batches: list[dict]) -> np.ndarray:
    """Returns the matrix that maps one embedding layer's output to another's with the least squared error."""
    fit = _Fit()
    for batch in batches:
        valid = np.asarray(batch["padding_mask"], bool)
        x, y = (np.asarray(layer(batch["token_ids"], batch["segment_ids"]))[valid] for layer in (ours, theirs))
        fit.add(x, y)
    return fit.solve()


class _Fit:
    """A linear least-squares fit without a bias, of data in pieces; a slight ridge makes it solvable."""

    def __init__(self, ridge: float = 1e-6):
        self.gram, self.cross, self.ridge = 0.0, 0.0, ridge

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        x, y = x.astype(np.float64), y.astype(np.float64)
        self.gram, self.cross = self.gram + x.T @ x, self.cross + x.T @ y

    def solve(self) -> np.ndarray:
        """Returns the matrix [x width, y width] of the least squared error."""
        return ridge_solve(self.gram, self.cross, self.ridge)
