"""A student cut out of its teacher: exact where it can be, close where it cannot."""

import numpy as np
import pytest

from tests.tolerance import assert_close
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.closed_form import cut_from_teacher
from tinybert_tf.distillation.initialization import initialize_from_teacher
from tinybert_tf.errors import InputError


@pytest.fixture
def batches(vocabulary):
    """Some thousand tokens, with padding."""
    rng = np.random.default_rng(0)
    found = []
    for length in (9, 16, 12, 20):
        mask = (np.arange(length) < rng.integers(3, length + 1, (24, 1))).astype("int32")
        tokens = rng.integers(5, len(vocabulary), mask.shape).astype("int32") * mask
        tokens[:, 0] = 2
        segments = (np.arange(length) >= rng.integers(2, length, (24, 1))).astype("int32") * mask
        found.append({"token_ids": tokens, "segment_ids": segments, "padding_mask": mask})
    return found


def hidden(encoder, batch):
    return [state.numpy() for state in encoder(batch, return_intermediates=True)["hidden_states"]]


@pytest.mark.parametrize("family", ["bert", "segments in one model only"])
def test_a_student_of_the_teachers_shape_reproduces_it(make_encoder, batches, family):
    shape = {"num_segments": 0} if family != "bert" else {}
    teacher, student = make_encoder(seed=1, **shape), make_encoder(seed=2)
    fits = cut_from_teacher(teacher, student, (1, 2), batches)
    assert all(fit.hidden > 1 - 1e-9 for fit in fits)
    for batch in batches:
        valid = batch["padding_mask"].astype(bool)
        for ours, theirs in zip(hidden(student, batch), hidden(teacher, batch)):
            assert_close(ours[valid], theirs[valid], 1e-5)


def test_a_wider_student_is_refused(make_encoder, batches):
    with pytest.raises(InputError, match="at most the teacher's width, 12"):
        cut_from_teacher(make_encoder(), make_encoder(hidden_dim=24), (1, 2), batches)
