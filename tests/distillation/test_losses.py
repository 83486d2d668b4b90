import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.golden import make_losses
from tests.reference import losses_numpy
from tinybert_tf.distillation import AttentionLoss, EmbeddingLoss, HiddenLoss, PredictionLoss, RelationLoss
from tinybert_tf.distillation.losses import MultiLabelPredictionLoss

GOLDEN = json.loads(make_losses.FILE.read_text(encoding="utf-8"))
MASK = [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]
MASKED = [AttentionLoss, HiddenLoss, RelationLoss]
LOSSES = [AttentionLoss(), HiddenLoss(), EmbeddingLoss(), RelationLoss(6), PredictionLoss(temperature=2.5)]
LOSSES.append(MultiLabelPredictionLoss(temperature=2.5))


def loss_of(loss, student, teacher, padding_mask=None, projection=None, temperature=1.0, relation_heads=1):
    """One of the package's losses, called with the reference's arguments."""
    if loss == "relation":
        return RelationLoss(relation_heads)(student, tf.constant(teacher), padding_mask)
    if loss == "prediction":
        return PredictionLoss(temperature)(student, teacher)
    if loss == "hidden":
        return HiddenLoss()(student @ tf.constant(projection), teacher, padding_mask)
    return AttentionLoss()(student, teacher, padding_mask)


def layers(seed=0, heads=3, width=5, length=4):
    """Random scores, states and vectors of student and teacher, for the sentences of `MASK`."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (2, len(MASK), heads, length, length)).astype("float32")
    states = rng.normal(0, 2, (2, len(MASK), length, width)).astype("float32")
    vectors = rng.normal(0, 1, (2, len(MASK), length, 3 * 12)).astype("float32")
    return {AttentionLoss: scores, HiddenLoss: states, RelationLoss: vectors}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    case = GOLDEN[name]
    losses = loss_of(case["loss"], **case["inputs"] | {"student": tf.constant(case["inputs"]["student"])})
    assert losses.shape == (len(case["expected"]),)
    np.testing.assert_allclose(losses, case["expected"], rtol=2e-6)


def test_golden_values_are_the_references():
    made = make_losses.cases()
    assert made.keys() == GOLDEN.keys()
    for name, case in made.items():
        assert case["inputs"] == GOLDEN[name]["inputs"]
        np.testing.assert_allclose(case["expected"], GOLDEN[name]["expected"], rtol=1e-12)


def test_values_by_hand():
    scores = np.zeros((1, 2, 2, 2), "float32")
    ours = scores.copy()
    ours[0, 0, 0, 1], ours[0, 1, 1, 1] = 3.0, 1.0
    np.testing.assert_allclose(AttentionLoss()(ours, scores, [[1, 1]]), [10 / 8])
    np.testing.assert_allclose(AttentionLoss()(ours, scores, [[0, 1]]), [1 / 2])
    states = np.array([[[1.0, 2.0], [5.0, 5.0]]], "float32")
    np.testing.assert_allclose(HiddenLoss()(states, np.zeros_like(states), [[1, 0]]), [5 / 2])
    # The first token relates to itself alone, or to both alike; the second one to both alike, in both models.
    vectors = np.array([[[300.0] * 3, [0.0] * 3]], "float32")
    np.testing.assert_allclose(RelationLoss(1)(0 * vectors, vectors, [[1, 1]]), [3 * np.log(2) / 2], rtol=1e-6)
    np.testing.assert_array_equal(RelationLoss(1)(0 * vectors, vectors, [[1, 0]]), [0.0])
    np.testing.assert_allclose(PredictionLoss()([[0.0, 0.0]], [[9.0, -9.0]]), [np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(PredictionLoss(temperature=7.0)([[1.0]], [[4.0]]), [9.0])
    graph = tf.function(PredictionLoss(), input_signature=[tf.TensorSpec([None, 1]), tf.TensorSpec([None, None])])
    np.testing.assert_allclose(graph(tf.constant([[1.0]]), tf.constant([[4.0]])), [9.0])


@pytest.mark.parametrize("loss", MASKED)
@pytest.mark.parametrize("garbage", [0.0, 1e6])
def test_longer_padding_changes_nothing(loss, garbage):
    student, teacher = layers()[loss]
    expected = loss()(student, teacher, MASK)
    at_the_end = [(0, 0), (0, 0), (0, 3), (0, 3)] if loss is AttentionLoss else [(0, 0), (0, 3), (0, 0)]
    longer = [np.pad(x, at_the_end, constant_values=sign * garbage) for x, sign in ((student, 1), (teacher, -1))]
    np.testing.assert_allclose(loss()(*longer, np.pad(MASK, [(0, 0), (0, 3)])), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", MASKED)
def test_a_sentence_ignores_its_batch(loss):
    student, teacher = layers()[loss]
    together = loss()(student, teacher, MASK)
    for i in range(len(MASK)):
        alone = loss()(student[i : i + 1], teacher[i : i + 1], MASK[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-6)


@pytest.mark.parametrize("loss", MASKED)
@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "float32"])
def test_masks_of_any_dtype(loss, dtype):
    student, teacher = layers()[loss]
    expected = loss()(student, teacher, MASK)
    np.testing.assert_array_equal(loss()(student, teacher, np.array(MASK, dtype)), expected)


@pytest.mark.parametrize("loss", MASKED)
def test_gradient_spares_padding_and_empty_rows(loss):
    student, teacher = layers()[loss]
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    student = tf.Variable(student)
    with tf.GradientTape() as tape:
        losses = loss()(student, teacher, mask)
    gradient = np.asarray(tape.gradient(losses, student))
    valid = mask[:, None, :, None] * mask[:, None, None, :] if loss is AttentionLoss else mask[:, :, None]
    assert losses[2] == 0.0
    np.testing.assert_array_equal(gradient != 0.0, np.broadcast_to(valid == 1, gradient.shape))


@pytest.mark.parametrize("name", GOLDEN)
def test_gradient_is_the_slope(name):
    case = GOLDEN[name]
    inputs = {key: value for key, value in case["inputs"].items() if key != "student"}
    reference = functools.partial(getattr(losses_numpy, f"{case['loss']}_loss"), **inputs)
    expected = losses_numpy.slope(reference, case["inputs"]["student"])
    student = tf.Variable(case["inputs"]["student"])
    with tf.GradientTape() as tape:
        losses = loss_of(case["loss"], student, **inputs)
    np.testing.assert_allclose(tape.gradient(losses, student), expected, rtol=1e-4, atol=1e-6)


def test_half_precision_is_computed_in_float32():
    scores, states = np.zeros((1, 2, 2, 2), "float16"), np.zeros((1, 2, 3), "float16")
    mask = np.ones((1, 2), "float16")
    for losses, expected in (
        (AttentionLoss()(scores + 300, scores, mask), 90_000.0),
        (HiddenLoss()(states + 300, states, mask), 90_000.0),
        (RelationLoss(1)(states, states + np.array([[[300], [0]]], "float16"), mask), 1.5 * np.log(2)),
        (PredictionLoss()(states[:, 0, :1] + 300, states[:, 0, :1]), 90_000.0),
        (PredictionLoss(0.001)(states[:, 0] + [0, 0, 200], states[:, 0] + [0, 200, 0]), 200_000.0),
    ):
        assert losses.dtype == "float32"
        np.testing.assert_allclose(losses, [expected], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in GOLDEN if "prediction" in name])
def test_temperature_divides_both_logits(name):
    inputs = GOLDEN[name]["inputs"]
    divided = [np.array(inputs[model]) / inputs["temperature"] for model in ("student", "teacher")]
    np.testing.assert_allclose(PredictionLoss()(*divided), GOLDEN[name]["expected"], rtol=2e-6)


def test_several_labels_are_compared_one_by_one():
    """The sum over classes of the cross-entropy between two outcomes, in float64."""
    ours, theirs = np.random.default_rng(0).normal(0, 3, (2, 4, 5)).astype("float32")
    student, teacher = (1 / (1 + np.exp(-logits.astype("float64") / 2.5)) for logits in (ours, theirs))
    expected = -(teacher * np.log(student) + (1 - teacher) * np.log(1 - student)).sum(axis=1)
    np.testing.assert_allclose(
        MultiLabelPredictionLoss(2.5)(tf.constant(ours), tf.constant(theirs)), expected, rtol=1e-5
    )
    far = MultiLabelPredictionLoss()(tf.constant([[90.0, -90.0]]), tf.constant([[-90.0, -90.0]]))
    np.testing.assert_allclose(far, [90.0], rtol=1e-6)


def test_exact_numbers_are_exact():
    """Where every step is exact in float32, TinyBERT's four losses equal the reference to the last bit."""
    rng = np.random.default_rng(0)
    scores, states = rng.integers(-8, 8, (2, 3, 2, 4, 4)).tolist(), rng.integers(-8, 8, (2, 3, 4, 4)).tolist()
    numbers = rng.integers(-8, 8, (2, 4, 1)).tolist()
    for name, inputs in (
        ("attention", (*scores, MASK)),
        ("hidden", (*states, MASK, np.eye(4, dtype="float32"))),
        ("prediction", numbers),
        ("prediction", [GOLDEN["prediction, extreme"]["inputs"][model] for model in ("student", "teacher")]),
    ):
        losses = loss_of(name, *(tf.constant(x, "float32") for x in inputs))
        np.testing.assert_array_equal(losses, getattr(losses_numpy, f"{name}_loss")(*map(np.asarray, inputs)))
    np.testing.assert_array_equal(EmbeddingLoss()(*states, MASK), HiddenLoss()(*states, MASK))


def test_relations_are_least_where_they_agree():
    """The loss of the teacher's own vectors is 0, even rotated within each relation head; that of others is larger."""
    teacher = layers()[RelationLoss][1]
    np.testing.assert_array_equal(RelationLoss(4)(teacher, teacher, MASK), np.zeros(3))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = (teacher.reshape(3, 4, 12, 3) @ turn).reshape(teacher.shape).astype("float32")
    np.testing.assert_allclose(RelationLoss(4)(turned, teacher, MASK), np.zeros(3), atol=1e-5)
    assert min(RelationLoss(4)(0.9 * teacher, teacher, MASK)[:2]) > 1e-3


def test_prediction_is_least_at_the_teachers_logits():
    teacher = np.array([[1.0, -2.0, 0.5]], "float32")
    probabilities = np.exp(teacher) / np.exp(teacher).sum()
    entropy = -(probabilities * np.log(probabilities)).sum()
    np.testing.assert_allclose(PredictionLoss()(teacher, teacher), [entropy], rtol=1e-6)
    assert PredictionLoss()(teacher + [[0.1, 0.0, 0.0]], teacher)[0] > entropy


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_rebuilt_from_their_configuration(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert vars(again) == vars(loss)
