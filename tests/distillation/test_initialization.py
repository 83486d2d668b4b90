"""The start from the teacher's embeddings."""

import numpy as np

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.initialization import initialize_from_teacher


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
    kept = initialize_from_teacher(distiller, [batch])
    assert 0.8 < kept < 1.0
    assert embedding_loss(distiller, batch) < 0.25 * before


def test_all_directions_keep_everything(make_encoder, batch):
    distiller = make(make_encoder, 24)
    plain_norm(distiller)
    assert initialize_from_teacher(distiller, [batch]) > 0.999999
