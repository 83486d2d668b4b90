"""Question answerers are distilled: the prediction loss of spans, the distiller with it, and the head's start."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import randomize
from tests.distillation.conftest import evaluate, train
from tests.reference import losses_numpy
from tests.tolerance import assert_close
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller, initialize_from_teacher
from tinybert_tf.distillation.initialization import initialize_head_from_teacher
from tinybert_tf.distillation.losses import SpanPredictionLoss
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertQuestionAnswerer

MASK = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]


@pytest.fixture
def make_answerer(make_encoder):
    def make(seed=0, **shape):
        model = BertQuestionAnswerer(make_encoder(seed=seed, **{"dropout": 0.0} | shape))
        model.clear_unused_pooler()
        randomize(model.qa_outputs, seed)
        return model

    return make


@pytest.fixture
def distiller(make_answerer):
    student = make_answerer(2, hidden_dim=6, intermediate_dim=8)
    distiller = TinyBertDistiller(make_answerer(1), student, loss_weights=LossWeights.joint())
    distiller.compile(keras.optimizers.SGD(0.1))
    return distiller


def logits(seed=0):
    return np.random.default_rng(seed).normal(0, 2, (2, 3, 2, 5)).astype("float32")


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_equals_loops(temperature):
    ours, theirs = logits()
    expected = losses_numpy.span_prediction_loss(ours, theirs, MASK, temperature)
    np.testing.assert_allclose(SpanPredictionLoss(temperature)(ours, theirs, MASK), expected, rtol=2e-6, atol=1e-7)


def test_the_loss_by_hand():
    """Two places, the teacher sure of the first start and of no end: (log 2 + log 2) / 2; alone, a place costs 0."""
    teacher = np.array([[[50.0, -50.0], [0.0, 0.0]]], "float32")
    np.testing.assert_allclose(SpanPredictionLoss()(0 * teacher, teacher, [[1, 1]]), [np.log(2)], rtol=1e-6)
    np.testing.assert_array_equal(SpanPredictionLoss()(0 * teacher, teacher, [[1, 0]]), [0.0])


@pytest.mark.parametrize("garbage", [0.0, 1e6])
def test_padding_changes_neither_loss_nor_gradient(garbage):
    ours, theirs = logits()
    expected = SpanPredictionLoss()(ours, theirs, MASK)
    longer = [
        np.pad(x, [(0, 0), (0, 0), (0, 3)], constant_values=sign * garbage) for x, sign in ((ours, 1), (theirs, -1))
    ]
    student, mask = tf.constant(longer[0]), np.pad(MASK, [(0, 0), (0, 3)])
    with tf.GradientTape() as tape:
        tape.watch(student)
        losses = SpanPredictionLoss()(student, longer[1], mask)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert not np.any(tape.gradient(losses, student).numpy()[np.repeat(mask[:, None] == 0, 2, axis=1)])


def test_the_gradient_is_the_slope():
    ours, theirs = logits()
    student = tf.constant(ours)
    with tf.GradientTape() as tape:
        tape.watch(student)
        losses = SpanPredictionLoss(1.5)(student, theirs, MASK)
    slope = losses_numpy.slope(lambda x: losses_numpy.span_prediction_loss(x, theirs, MASK, 1.5), ours)
    np.testing.assert_allclose(tape.gradient(losses, student), slope, atol=2e-6)


def test_the_distiller_adds_the_prediction_to_the_layers(distiller, batch):
    values = evaluate(distiller, batch)
    parts = ("embedding_loss", "hidden_loss", "attention_loss", "prediction_loss")
    assert_close(values["loss"], sum(values[name] for name in parts))
    outputs = [
        np.stack([part.numpy() for part in model(batch).values()], 1)
        for model in (distiller.student, distiller.teacher)
    ]
    expected = losses_numpy.span_prediction_loss(*outputs, batch["padding_mask"])
    assert_close(values["prediction_loss"], np.mean(expected))


def test_the_teachers_logits_may_be_given(distiller, batch):
    known = np.stack([part.numpy() for part in distiller.teacher(batch).values()], 1)
    assert_close(evaluate(distiller, batch | {"teacher_logits": known})["loss"], evaluate(distiller, batch)["loss"])


def test_phase_2_teaches_the_student_the_teachers_spans(make_answerer, batch):
    teacher, student = make_answerer(1, num_layers=1), make_answerer(2, num_layers=1)
    distiller = TinyBertDistiller(teacher, student, loss_weights=LossWeights.prediction_only())
    distiller.compile(keras.optimizers.Adam(0.02))
    known = np.stack([part.numpy() for part in teacher(batch).values()], 1)
    least = np.mean(losses_numpy.span_prediction_loss(known, known, batch["padding_mask"]))
    before = evaluate(distiller, batch)["loss"] - least
    for _ in range(12):
        train(distiller, batch | {"teacher_logits": known})
    assert evaluate(distiller, batch)["loss"] - least < 0.2 * before


def test_another_kind_of_head_is_refused(make_answerer, make_classifier, encoder):
    weights = LossWeights.prediction_only()
    with pytest.raises(InputError, match="student: got a BertClassifier; expected a BertQuestionAnswerer"):
        TinyBertDistiller(make_answerer(), make_classifier(), loss_weights=weights)
    with pytest.raises(InputError, match="student: got a BertQuestionAnswerer; expected a BertClassifier"):
        TinyBertDistiller(make_classifier(), make_answerer(), loss_weights=weights)
    with pytest.raises(InputError, match="student: got an encoder without logits"):
        TinyBertDistiller(make_answerer(), encoder, loss_weights=weights)


def test_a_saved_distiller_comes_back(distiller, batch):
    again = TinyBertDistiller.from_config(distiller.get_config())
    assert isinstance(again.teacher, BertQuestionAnswerer) and not isinstance(again.student, BertClassifier)


def many(batch, count=20):
    rng = np.random.default_rng(0)
    return [batch | {"token_ids": rng.integers(5, 30, batch["token_ids"].shape)} for _ in range(count)]


def test_a_student_like_its_teacher_starts_with_the_teachers_answers(make_answerer, batch):
    teacher, student = make_answerer(1), make_answerer(1)
    for variable in student.qa_outputs.weights:
        variable.assign(np.zeros(variable.shape))
    initialize_head_from_teacher(teacher, student, many(batch))
    valid = batch["padding_mask"].astype(bool)
    for name, expected in teacher(batch).items():
        np.testing.assert_allclose(np.asarray(student(batch)[name])[valid], np.asarray(expected)[valid], atol=0.02)


def test_the_closed_form_sets_the_head_too(make_answerer, batch):
    teacher, student = make_answerer(1), make_answerer(2, num_layers=1, hidden_dim=9, intermediate_dim=16)
    distiller = TinyBertDistiller(teacher, student, loss_weights=LossWeights.joint())
    initialize_from_teacher(distiller, many(batch, 4))
    solved = evaluate_loss(distiller, batch)
    student.qa_outputs.kernel.assign(np.zeros((9, 2)))
    assert solved < evaluate_loss(distiller, batch)  # whose places are all alike


def evaluate_loss(distiller, batch):
    losses, _ = distiller.compute_losses({name: tf.constant(value) for name, value in batch.items()})
    return float(np.mean(next(loss for match, loss in losses.items() if match.loss.name == "prediction")))
