"""A student cut out of its teacher: exact where it can be, close where it cannot, never worse for a solved part."""

import numpy as np
import pytest

from tests.tolerance import assert_close
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.closed_form import cut_from_teacher
from tinybert_tf.distillation.initialization import fit_projections, initialize_from_teacher
from tinybert_tf.errors import InputError

pytestmark = pytest.mark.usefixtures("eagerly")  # each graph would run a few times only
NO_ATTENTION = LossWeights(attention=0.0)


@pytest.fixture
def batches(vocabulary):
    """A thousand tokens and more, some of them padding."""
    rng = np.random.default_rng(0)
    found = []
    for length in (9, 20):
        mask = (np.arange(length) < rng.integers(3, length + 1, (60, 1))).astype("int32")
        tokens = rng.integers(5, len(vocabulary), mask.shape).astype("int32") * mask
        tokens[:, 0] = 2
        segments = (np.arange(length) >= rng.integers(2, length, (60, 1))).astype("int32") * mask
        found.append({"token_ids": tokens, "segment_ids": segments, "padding_mask": mask})
    return found


def hidden_states(encoder, batch):
    return [state.numpy() for state in encoder(batch, return_intermediates=True)["hidden_states"]]


def weights_of(model):
    return [np.asarray(weight) for weight in model.weights]


def losses_of(distiller, batches):
    """The sum over batches of each match's loss."""
    totals = [distiller.compute_losses(batch)[0] for batch in batches]
    return {match: sum(float(np.sum(losses[match])) for losses in totals) for match in distiller.matches}


MPNET = {"num_segments": 0, "relative_position_buckets": 8, "family": "mpnet"}


@pytest.mark.parametrize(("theirs", "ours"), [({}, {}), ({"num_segments": 0}, {}), (MPNET, MPNET), ({}, MPNET)])
def test_a_student_of_the_teachers_shape_reproduces_it(make_encoder, batches, theirs, ours):
    teacher, student = make_encoder(seed=1, **theirs), make_encoder(seed=2, **ours)
    if "num_segments" in ours and not theirs:  # a student without segments can equal a teacher that tells none apart
        teacher.embeddings.segment_embedding.embeddings.assign(np.zeros((2, 12)))
    fits = cut_from_teacher(teacher, student, (1, 2), batches)
    assert [fit.teacher_layer for fit in fits] == [0, 1, 2] and all(fit.explained > 1 - 1e-9 for fit in fits)
    for batch in batches:
        valid = batch["padding_mask"].astype(bool)
        for ours, theirs in zip(hidden_states(student, batch), hidden_states(teacher, batch)):
            assert_close(ours[valid], theirs[valid], 1e-5)


def test_mixed_precision_is_solved_in_float32(make_encoder, batches):
    teacher, student = make_encoder(seed=1), make_encoder(seed=2)
    half = [make_encoder(seed=seed, dtype="mixed_bfloat16") for seed in (1, 2)]
    cut_from_teacher(teacher, student, (1, 2), batches)
    cut_from_teacher(*half, (1, 2), batches)
    for ours, theirs in zip(weights_of(half[1]), weights_of(student)):
        np.testing.assert_array_equal(ours, theirs)


def doubled(small, large):
    """Gives `large`, twice as wide and with twice the neurons, the function of `small`: all of it there twice.

    Layer norms scale all coordinates alike, so that any directions do.
    """
    for ours, theirs in zip(large.weights, small.weights):
        if theirs.path.endswith("gamma"):
            theirs.assign(np.full(theirs.shape, 1.3))
        values = np.asarray(theirs)
        if values.ndim == 2 and ours.shape[0] != values.shape[0]:
            values = np.repeat(values, 2, axis=0) / 2  # sums over what is there twice
        ours.assign(np.repeat(values, 2, axis=-1))


def test_a_narrow_student_recovers_a_teacher_that_it_can_equal(make_encoder, batches):
    small, teacher = make_encoder(seed=1), make_encoder(hidden_dim=24, intermediate_dim=40)
    doubled(small, teacher)
    for state, twice in zip(hidden_states(small, batches[0])[:1], hidden_states(teacher, batches[0])):
        assert_close(twice[..., ::2], state, 1e-5)
    student = make_encoder(seed=5)
    distiller = TinyBertDistiller(teacher, student)
    fits = initialize_from_teacher(distiller, batches)
    assert all(fit.explained > 0.9999 for fit in fits), fits
    scale = np.mean([np.square(state).mean() for state in hidden_states(teacher, batches[0])])
    for match, loss in losses_of(distiller, batches).items():
        assert loss / (60 * len(batches)) < 2e-3 * scale, (match.name, match.student_layer)


def test_losses_fall_with_every_part_that_is_solved(make_encoder, batches):
    """The losses of the part itself fall with it, and their sum falls with every layer."""
    teacher, solved = make_encoder(seed=1, hidden_dim=24, num_layers=4), make_encoder(seed=2)
    cut_from_teacher(teacher, solved, (2, 4), batches)
    student = make_encoder(seed=2)
    distiller = TinyBertDistiller(teacher, student)

    def losses():
        fit_projections(distiller, batches)
        by_match = losses_of(distiller, batches)
        parts = [sum(v for m, v in by_match.items() if m.student_layer == number) for number in range(3)]
        return [*parts, sum(parts)]

    seen = [losses()]
    pairs = [(student.embeddings, solved.embeddings), *zip(student.blocks, solved.blocks)]
    for number, (part, source) in enumerate(pairs):
        for ours, theirs in zip(part.weights, source.weights):
            ours.assign(theirs)
        seen.append(losses())
        assert seen[-1][number] < 0.6 * seen[-2][number], seen
    totals = [row[-1] for row in seen]
    assert totals[1] > totals[2] > totals[3] and totals[3] < 0.5 * totals[0], totals


def test_the_order_of_the_texts_does_not_matter(make_encoder, batches):
    teacher, students = make_encoder(seed=1, hidden_dim=24), [make_encoder(seed=2) for _ in range(3)]
    for student, given in zip(students, (batches, batches, [dict(batch) for batch in reversed(batches)])):
        cut_from_teacher(teacher, student, (1, 2), given)
    for ours, again in zip(*map(weights_of, students[:2])):
        np.testing.assert_array_equal(ours, again)
    for ours, reordered in zip(*(hidden_states(student, batches[0]) for student in students[1:])):
        assert_close(reordered, ours, 1e-4)


@pytest.mark.parametrize(
    ("shape", "layer_map"),
    [
        ({"num_heads": 2}, (1, 2)),
        ({"num_heads": 4}, (1, 2)),
        ({"num_heads": 6, "intermediate_dim": 7}, (1, 2)),
        ({"intermediate_dim": 90, "num_layers": 1}, (2,)),
        ({"num_layers": 4}, (1, 1, 2, 2)),
        ({"hidden_dim": 24, "num_heads": 4, "max_sequence_length": 40}, (1, 2)),
    ],
)
def test_any_other_shape_beats_a_random_one(make_encoder, batches, shape, layer_map):
    teacher = make_encoder(seed=1, hidden_dim=24)
    student = make_encoder(seed=2, **shape)
    distiller = TinyBertDistiller(teacher, student, layer_map=layer_map, loss_weights=NO_ATTENTION)
    fit_projections(distiller, batches)
    losses, pooler = [sum(losses_of(distiller, batches).values())], weights_of(student.pooler)
    initialize_from_teacher(distiller, batches)
    assert all(np.array_equal(*pair) for pair in zip(pooler, weights_of(student.pooler)))
    losses.append(sum(losses_of(distiller, batches).values()))
    assert losses[1] < 0.5 * losses[0], losses


@pytest.mark.parametrize("shape", [{}, MPNET])
def test_a_wider_teacher_with_relative_positions(make_encoder, batches, shape):
    teacher = make_encoder(seed=1, hidden_dim=24, **MPNET)
    student = make_encoder(seed=2, **shape)
    distiller = TinyBertDistiller(teacher, student)
    fit_projections(distiller, batches)
    before = sum(losses_of(distiller, batches).values())
    initialize_from_teacher(distiller, batches)
    assert sum(losses_of(distiller, batches).values()) < 0.5 * before


def test_a_classifier_starts_with_its_teachers_answers(make_classifier, batches):
    teacher, student = make_classifier(seed=1), make_classifier(seed=2)
    initialize_from_teacher(TinyBertDistiller(teacher, student, loss_weights=LossWeights.joint()), batches)
    ours, theirs = (np.concatenate([model(batch) for batch in batches]) for model in (student, teacher))
    assert np.mean(ours.argmax(-1) == theirs.argmax(-1)) > 0.97


def test_weights_that_nothing_is_solved_for_have_no_effect_at_first(make_encoder, batches):
    teacher, student = make_encoder(seed=1), make_encoder(seed=2, num_heads=6, intermediate_dim=30)
    cut_from_teacher(teacher, student, (1, 2), batches)
    before = hidden_states(student, batches[0])[-1]
    for block in student.blocks:  # neurons and heads beyond the teacher's
        kernel = block.intermediate_dense.kernel.numpy()
        kernel[:, 20:] = 3.0
        block.intermediate_dense.kernel.assign(kernel)
        kernel = block.attention.value_dense.kernel.numpy()
        kernel[:, 6:] = 3.0
        block.attention.value_dense.kernel.assign(kernel)
    assert_close(hidden_states(student, batches[0])[-1], before)


def test_a_wider_student_is_refused(make_encoder, batches):
    with pytest.raises(InputError, match="at most the teacher's width, 12"):
        cut_from_teacher(make_encoder(), make_encoder(hidden_dim=24), (1, 2), batches)


def test_no_text_is_refused(make_encoder):
    with pytest.raises(InputError, match="batches: got no tokens"):
        cut_from_teacher(make_encoder(), make_encoder(), (1, 2), [])


def test_the_head_stays_as_it_is_if_asked(make_classifier, batches):
    teacher, student = make_classifier(seed=1), make_classifier(seed=2)
    before = weights_of(student.classifier) + weights_of(student.encoder.pooler)
    distiller = TinyBertDistiller(teacher, student, loss_weights=LossWeights.joint())
    initialize_from_teacher(distiller, batches, head=False)
    for ours, was in zip(weights_of(student.classifier) + weights_of(student.encoder.pooler), before):
        np.testing.assert_array_equal(ours, was)
