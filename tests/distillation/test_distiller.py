import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.distillation.conftest import evaluate, tensors, train, weights_of
from tests.reference import losses_numpy
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller, layer_map
from tinybert_tf.errors import InputError

COMBINATIONS = [LossWeights(*weights) for weights in itertools.product((0.0, 1.0), repeat=4) if any(weights)]
BY_LAYER = LossWeights(embedding=0.5, hidden=(2.0, 0.25), attention=(0.125, 3.0), prediction=1.5)
LOW = LossWeights(embedding=1.0, hidden=(1.0, 0.0), attention=(1.0, 0.0))


def reference(distiller, batch, weights, temperature=1.0):
    """The NumPy reference's losses of the two models' outputs."""
    outputs = [model(batch, return_intermediates=True) for model in (distiller.student, distiller.teacher)]
    both = [{name: [np.array(x) for x in value] for name, value in output.items()} for output in outputs]
    layers = len(distiller.layer_map)
    by_layer = {name: np.broadcast_to(getattr(weights, name), layers).tolist() for name in ("hidden", "attention")} | {
        "embedding": weights.embedding,
        "prediction": weights.prediction,
    }
    projections = [np.asarray(distiller.projections[str(m)].kernel) for m in range(layers + 1)]
    return losses_numpy.total_loss(
        *both, batch["padding_mask"], projections, distiller.layer_map, by_layer, temperature
    )


@pytest.mark.parametrize(
    ("projection", "spec"), [("per_layer", "uniform"), ("shared", "bottom"), ("per_layer", [3, 3])]
)
def test_equals_numpy(make_distiller, batch, projection, spec):
    distiller = make_distiller(
        BY_LAYER, {"num_layers": 3}, projection=projection, layer_map=spec, temperature=2.0, labels=("a", "b", "c")
    )
    assert distiller.layer_map == layer_map(spec, 2, 3)
    expected = reference(distiller, batch, BY_LAYER, temperature=2.0)
    for logs in (evaluate(distiller, batch), train(distiller, batch)):
        np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), rtol=1e-5)


def test_regression_equals_numpy(make_distiller, batch):
    distiller = make_distiller(LossWeights.joint(), labels=("score",), temperature=3.0)
    expected = reference(distiller, batch, LossWeights.joint())
    squares = np.square(distiller.student(batch) - distiller.teacher(batch))
    np.testing.assert_allclose(expected["prediction_loss"], squares.mean(), rtol=1e-5)
    logs = evaluate(distiller, batch)
    np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), rtol=1e-5)


def test_evaluation_tells_each_layer(make_distiller, batch):
    logs = evaluate(make_distiller(BY_LAYER), batch)
    assert 2.0 * logs["hidden_loss_1"] + 0.25 * logs["hidden_loss_2"] == pytest.approx(logs["hidden_loss"], rel=1e-5)
    by_layer = 0.125 * logs["attention_loss_1"] + 3.0 * logs["attention_loss_2"]
    assert by_layer == pytest.approx(logs["attention_loss"], rel=1e-5)
    names = ("embedding_loss", "hidden_loss", "attention_loss", "prediction_loss")
    assert sum(logs[name] for name in names) == pytest.approx(logs["loss"], rel=1e-5)


def test_garbage_in_padding_changes_no_bit(make_distiller, batch):
    padding = batch["padding_mask"] == 0
    garbage = batch | {
        "token_ids": np.where(padding, 7, batch["token_ids"]),
        "segment_ids": np.where(padding, 1, batch["segment_ids"]),
    }
    assert (garbage["token_ids"] != batch["token_ids"]).sum() == padding.sum() > 0
    ours, theirs = make_distiller(BY_LAYER), make_distiller(BY_LAYER)
    assert evaluate(ours, batch) == evaluate(theirs, garbage)
    assert train(ours, batch) == train(theirs, garbage)
    for weight, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_longer_padding_changes_nothing(make_distiller, batch):
    longer = {name: np.pad(value, [(0, 0), (0, 7)]) for name, value in batch.items()}
    ours, theirs = make_distiller(BY_LAYER), make_distiller(BY_LAYER)
    assert evaluate(ours, longer) == pytest.approx(evaluate(theirs, batch), rel=1e-6)
    assert train(ours, longer) == pytest.approx(train(theirs, batch), rel=1e-6)
    for weight, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-6)


def test_a_sentence_ignores_its_batch(make_distiller, batch):
    distiller = make_distiller(BY_LAYER)
    together, _ = distiller.compute_losses(tensors(batch))
    assert len(together) == 6
    for i in range(3):
        alone, _ = distiller.compute_losses(tensors({name: value[i : i + 1] for name, value in batch.items()}))
        for match, losses in together.items():
            np.testing.assert_allclose(alone[match][0], losses[i], rtol=2e-6)


def test_each_model_runs_once(make_distiller, batch, calls):
    models = make_distiller(teacher={"num_layers": 1}, student={"num_layers": 1})
    for weights in COMBINATIONS:
        distiller = TinyBertDistiller(models.teacher, models.student, loss_weights=weights)
        distiller.compile("sgd")
        above_embeddings = bool(weights.hidden or weights.attention or weights.prediction)
        for step in (train, evaluate):
            calls.clear()
            step(distiller, batch)
            for model in (distiller.teacher, distiller.student):
                assert calls[id(model.encoder)] == calls[id(model.encoder.embeddings)] == 1
                assert calls[id(model.encoder.blocks[0])] == above_embeddings
                for layer in (model, model.encoder.pooler, model.classifier):
                    assert calls[id(layer)] == weights.prediction
            assert {calls[id(layer)] for layer in distiller.projections.values()} <= {1}


@pytest.mark.parametrize("step", [train, evaluate])
def test_layers_above_the_last_match_do_not_run(make_distiller, batch, calls, step):
    distiller = make_distiller(LOW, {"num_layers": 4})
    calls.clear()
    step(distiller, batch)
    assert [calls[id(block)] for block in distiller.teacher.encoder.blocks] == [1, 1, 0, 0]
    assert [calls[id(block)] for block in distiller.student.encoder.blocks] == [1, 0]


def test_a_teacher_with_known_logits_runs_no_further_than_its_layers(make_distiller, batch, calls):
    weights = LossWeights(embedding=0.0, hidden=(1.0, 0.0), attention=0.0, prediction=1.0)
    distiller = make_distiller(weights)
    expected = evaluate(distiller, batch)
    known = batch | {"teacher_logits": distiller.teacher(batch)}
    calls.clear()
    assert evaluate(distiller, known) == expected
    teacher = distiller.teacher
    assert [calls[id(block)] for block in teacher.encoder.blocks] == [1, 0]
    assert calls[id(teacher)] == calls[id(teacher.encoder.pooler)] == calls[id(teacher.classifier)] == 0
    only = TinyBertDistiller(teacher, distiller.student, loss_weights=LossWeights.prediction_only())
    calls.clear()
    only.compute_losses(tensors(known))
    assert calls[id(teacher.encoder)] == 0


def test_a_teacher_that_is_no_model_teaches_by_its_logits(make_distiller, batch):
    pair = make_distiller(LossWeights.prediction_only())
    known = batch | {"teacher_logits": np.asarray(pair.teacher(batch))}
    alone = TinyBertDistiller(None, pair.student, loss_weights=LossWeights.prediction_only())
    alone = TinyBertDistiller.from_config(alone.get_config())  # a copy, of a student of its own
    alone.student.set_weights(pair.student.get_weights())
    alone.compile(keras.optimizers.SGD(0.1))
    assert alone.teacher is None and len(alone.learned_variables) == len(pair.learned_variables)
    assert train(alone, known) == train(pair, batch)
    for ours, theirs in zip(weights_of(alone), weights_of(pair), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match=r"inputs: got token_ids, .*; expected teacher_logits among them"):
        alone.compute_losses(tensors(batch))
    with pytest.raises(InputError, match="teacher: got none; expected a model, to match its layers"):
        TinyBertDistiller(None, alone.student, loss_weights=LossWeights.joint())


# A layer has 6 dense layers and 2 products for attention; its scores take only query, key and one product; relations
# take query, key, value and a product that the layer does not have.
LAYER, SCORES, HEAD, RELATIONS = 8, 3, 2, 4


@pytest.mark.parametrize(
    ("weights", "teacher", "student", "projections"),
    [
        (LossWeights(1, 0, 0, 0), 0, 0, 1),
        (LossWeights(0, 0, (1, 0), 0), SCORES, SCORES, 0),
        (LossWeights(0, 0, 1, 0), LAYER + SCORES, LAYER + SCORES, 0),
        (LossWeights(0, 0, 0, 0, (1, 0)), RELATIONS, RELATIONS, 0),
        (LossWeights(0, 0, (0, 1), 0, (1, 0)), LAYER + SCORES + 1, LAYER + SCORES + 1, 0),
        (LOW, LAYER, LAYER, 2),
        (LossWeights.prediction_only(), 2 * LAYER + HEAD, 2 * LAYER + HEAD, 0),
        (LossWeights.joint(), 2 * LAYER + HEAD, 2 * LAYER + HEAD, 3),
    ],
)
def test_no_needless_matrix_product(make_distiller, batch, weights, teacher, student, projections):
    distiller = make_distiller(weights, relation_heads=3)
    assert len(distiller.projections) == projections
    distiller.optimizer.build(distiller.trainable_variables)  # a step that creates variables is traced twice
    step = tf.function(distiller.train_step, autograph=False).get_concrete_function((tensors(batch),))
    products = [operation for operation in step.graph.get_operations() if "MatMul" in operation.type]
    needed = _needed(step.graph)
    # Forwards one, and backwards two, for both factors; nothing goes back through the teacher.
    assert sum(product in needed for product in products) == teacher + 3 * (student + projections)
    # The rest of the last layer is traced, for a layer gives its scores and its output together, but never runs.
    inside = (weights.attention or weights.relation) and not (weights.hidden or weights.prediction)
    spare = 2 * (LAYER - SCORES) if inside else 0
    assert len(products) - spare == teacher + 3 * (student + projections)


def _needed(graph):
    """The operations that TensorFlow runs: what outputs and side effects depend on."""
    found, left = set(), [*(output.op for output in graph.outputs), *graph.control_outputs]
    while left:
        operation = left.pop()
        if operation not in found:
            found.add(operation)
            left += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def test_projections_only_where_they_are_needed(make_distiller):
    models = make_distiller()
    for weights, expected in (
        (LossWeights(), ["0", "1", "2"]),
        (LossWeights(embedding=0.0), ["1", "2"]),
        (LossWeights(hidden=(0.0, 1.0)), ["0", "2"]),
        (LossWeights(embedding=0.0, hidden=0.0), []),
    ):
        for projection, count in (("per_layer", len(expected)), ("shared", min(len(expected), 1))):
            distiller = TinyBertDistiller(models.teacher, models.student, loss_weights=weights, projection=projection)
            assert list(distiller.projections) == expected
            assert len(distiller.trainable_variables) == len(models.student.trainable_variables) + count


def test_shared_projection_adds_up_gradients(make_distiller, batch):
    shared, separate = make_distiller(projection="shared"), make_distiller()
    assert len({id(layer) for layer in shared.projections.values()}) == 1
    assert len({id(layer) for layer in separate.projections.values()}) == 3
    for layer in separate.projections.values():
        layer.kernel.assign(shared.projections["0"].kernel)
    gradients = []
    for distiller in (shared, separate):
        kernels = {id(layer): layer.kernel.value for layer in distiller.projections.values()}.values()
        with tf.GradientTape() as tape:
            losses, _ = distiller.compute_losses(tensors(batch))
            total = sum(tf.reduce_sum(loss) for loss in losses.values())
        gradients.append(tape.gradient(total, list(kernels)))
    assert len(gradients[1]) == 3
    np.testing.assert_allclose(gradients[0][0], sum(gradients[1]), rtol=1e-4, atol=1e-5)


def test_the_teacher_is_frozen_and_never_drops_out(make_distiller, batch):
    distiller = make_distiller(BY_LAYER, teacher={"dropout": 0.5})
    before = [np.asarray(variable).copy() for variable in distiller.teacher.variables]
    teachers = {id(variable) for variable in distiller.teacher.variables}
    assert not distiller.teacher.trainable
    assert not teachers & {id(variable) for variable in distiller.trainable_variables}
    calm, _ = distiller.compute_losses(tensors(batch))
    training, _ = distiller.compute_losses(tensors(batch), training=True)
    for match, losses in calm.items():
        np.testing.assert_array_equal(training[match], losses)
    students = weights_of(distiller)
    for _ in range(3):
        train(distiller, batch)
    for variable, value in zip(distiller.teacher.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert all((now != then).any() for now, then in zip(weights_of(distiller), students, strict=True))


def test_the_student_drops_out_only_in_training(make_distiller, batch):
    distiller = make_distiller(student={"dropout": 0.5})
    assert evaluate(distiller, batch) == evaluate(distiller, batch)
    distiller.optimizer.learning_rate = 0.0
    names = ("embedding_loss", "hidden_loss", "attention_loss")
    first, second = train(distiller, batch), train(distiller, batch)
    assert all(first[name] != second[name] for name in names)
    assert all(first[name] != evaluate(distiller, batch)[name] for name in names)


def test_sample_weight_weighs_sentences(make_distiller, batch):
    distiller, weights = make_distiller(BY_LAYER), np.array([2.0, 0.0, 0.5], "float32")
    losses, _ = distiller.compute_losses(tensors(batch))
    by_sentence = sum(match.weight * loss for match, loss in losses.items())
    expected = float(tf.reduce_sum(weights * by_sentence)) / 3
    for given in (weights, weights[:, None]):
        assert evaluate(distiller, batch, None, given)["loss"] == pytest.approx(expected, rel=1e-5)
    only = {name: value[[0, 2]] for name, value in batch.items()}
    other = make_distiller(BY_LAYER)
    train(distiller, batch, None, weights)
    train(other, only, None, weights[[0, 2]] * 2 / 3)
    for weight, same in zip(weights_of(distiller), weights_of(other), strict=True):
        np.testing.assert_allclose(weight, same, rtol=1e-5, atol=1e-6)
