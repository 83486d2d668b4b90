"""The start from the teacher's embeddings."""

import numpy as np

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.initialization import (
    fit_projections,
    initialize_embeddings,
    initialize_head_from_teacher,
)


def embedding_loss(distiller, batch):
    losses, _ = distiller.compute_losses(batch)
    return float(np.mean(losses[distiller.matches[0]]))


def make(make_encoder, width):
    teacher = make_encoder(seed=1, hidden_dim=24)
    student = make_encoder(seed=2, hidden_dim=width)
    return TinyBertDistiller(teacher, student, loss_weights=LossWeights(hidden=0.0, attention=0.0))


def plain_norm(distiller):
    """A new student's layer norm; the fixture's is random."""
    norm = distiller.student.embeddings.layer_norm
    norm.gamma.assign(np.ones(norm.gamma.shape))
    norm.beta.assign(np.zeros(norm.beta.shape))


def test_a_narrower_student_starts_near_its_teacher(make_encoder, batch):
    distiller = make(make_encoder, 18)
    plain_norm(distiller)
    before = embedding_loss(distiller, batch)
    kept = initialize_embeddings(distiller, [batch])
    assert 0.8 < kept < 1.0
    assert embedding_loss(distiller, batch) < 0.25 * before


def test_all_directions_keep_everything(make_encoder, batch):
    distiller = make(make_encoder, 24)
    plain_norm(distiller)
    assert initialize_embeddings(distiller, [batch]) > 0.999999


def test_projections_are_fitted_to_a_student_that_has_learned(make_encoder, batch):
    """A student that is the teacher in a rotated basis has an exact map for every layer."""
    teacher, student = make_encoder(seed=1), make_encoder(seed=1)
    distiller = TinyBertDistiller(teacher, student, layer_map=[1, 2])
    fit_projections(distiller, [batch])
    losses, _ = distiller.compute_losses(batch)
    assert max(float(np.max(loss)) for loss in losses.values()) < 1e-3


def test_one_shared_projection_is_fitted_to_all_layers(make_encoder, batch):
    distiller = TinyBertDistiller(make_encoder(seed=1), make_encoder(seed=2), projection="shared")

    def hidden_losses():
        losses, _ = distiller.compute_losses(batch)
        return sum(float(np.mean(loss)) for match, loss in losses.items() if match.loss.projected)

    before = hidden_losses()
    fit_projections(distiller, [batch])
    assert hidden_losses() < before


def test_a_student_like_its_teacher_starts_with_the_teachers_answers(make_classifier, batch):
    teacher, student = make_classifier(seed=1), make_classifier(seed=1)
    for variable in (*student.encoder.pooler.weights, *student.classifier.weights):
        variable.assign(np.zeros(variable.shape))
    rng = np.random.default_rng(0)
    batches = [batch | {"token_ids": rng.integers(5, 30, batch["token_ids"].shape)} for _ in range(80)]
    initialize_head_from_teacher(teacher, student, batches)
    np.testing.assert_allclose(student(batch), teacher(batch), atol=0.1)
