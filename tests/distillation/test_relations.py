"""MiniLMv2's relations in the distiller: a student with other heads and of another width, and what they cost."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.distillation.conftest import evaluate, train, weights_of
from tests.reference import losses_numpy
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.errors import InputError

ALL = LossWeights(embedding=0.5, hidden=(2.0, 0.25), attention=(0.125, 3.0), prediction=1.5, relation=(0.75, 4.0))
RELATIONS = LossWeights(embedding=0.0, hidden=0.0, attention=0.0, relation=1.0)
OTHER_SHAPE = {"num_heads": 2, "hidden_dim": 8}  # the teacher has 3 heads and is 12 wide


def test_equals_numpy(make_distiller, batch):
    weights = dataclasses.replace(ALL, attention=0.0)
    distiller = make_distiller(weights, {"num_layers": 3}, OTHER_SHAPE, layer_map=[1, 3], relation_heads=4)
    asked = {"return_intermediates": True, "return_query_key_value": True}
    outputs = [model(batch, **asked) for model in (distiller.student, distiller.teacher)]
    both = [{name: [np.array(x) for x in value] for name, value in output.items()} for output in outputs]
    numbers = dataclasses.asdict(weights) | {"attention": (0.0, 0.0)}
    projections = [np.asarray(distiller.projections[str(m)].kernel) for m in range(3)]
    expected = losses_numpy.total_loss(*both, batch["padding_mask"], projections, (1, 3), numbers, relation_heads=4)
    assert expected.pop("attention_loss") == 0.0
    for logs in (evaluate(distiller, batch), train(distiller, batch)):
        np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), rtol=1e-5)


def test_evaluation_tells_each_layer(make_distiller, batch):
    logs = evaluate(make_distiller(ALL, relation_heads=3), batch)
    assert 0.75 * logs["relation_loss_1"] + 4.0 * logs["relation_loss_2"] == pytest.approx(logs["relation_loss"])


def test_no_other_loss_changes_by_a_bit(make_distiller, batch):
    with_relations = evaluate(make_distiller(ALL, relation_heads=3), batch)
    without = evaluate(make_distiller(dataclasses.replace(ALL, relation=0.0)), batch)
    assert without.items() - with_relations.items() == {("loss", without["loss"])}
    assert with_relations.keys() - without.keys() == {"relation_loss", "relation_loss_1", "relation_loss_2"}


def test_garbage_in_padding_changes_no_bit(make_distiller, batch):
    padding = batch["padding_mask"] == 0
    garbage = batch | {"token_ids": np.where(padding, 7, batch["token_ids"])}
    assert (garbage["token_ids"] != batch["token_ids"]).any()
    ours, theirs = (make_distiller(RELATIONS, student=OTHER_SHAPE, relation_heads=2) for _ in range(2))
    assert evaluate(ours, batch) == evaluate(theirs, garbage)
    assert train(ours, batch) == train(theirs, garbage)
    for weight, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_longer_padding_changes_nothing(make_distiller, batch):
    longer = {name: np.pad(value, [(0, 0), (0, 7)]) for name, value in batch.items()}
    distiller = make_distiller(RELATIONS, student=OTHER_SHAPE, relation_heads=2)
    assert evaluate(distiller, longer) == pytest.approx(evaluate(distiller, batch), rel=1e-6)


def test_a_student_of_another_shape_learns(make_distiller, batch):
    one_layer = {"num_layers": 1}
    distiller = make_distiller(RELATIONS, one_layer, OTHER_SHAPE | one_layer, labels=None, relation_heads=4)
    assert not distiller.projections
    distiller.compile(keras.optimizers.Adam(0.02))
    data = tf.data.Dataset.from_tensors(batch).repeat(20)
    losses = distiller.fit(data, epochs=6, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4, losses


def test_mixed_float16(make_distiller, batch):
    half, full = (
        make_distiller(RELATIONS, {"dtype": dtype}, {"dtype": dtype} | OTHER_SHAPE, relation_heads=4)
        for dtype in ("mixed_float16", "float32")
    )
    assert evaluate(half, batch) == pytest.approx(evaluate(full, batch), rel=0.02)


@pytest.mark.parametrize("heads", [0, 5, 6])
def test_relation_heads_divide_both_widths(make_encoder, heads):
    teacher, student = make_encoder(), make_encoder(hidden_dim=8, num_heads=2)
    expected = f"relation_heads: got {heads}; expected a number that divides the student's width 8 and the teacher's 12"
    with pytest.raises(InputError, match=f"^{expected}$"):
        TinyBertDistiller(teacher, student, loss_weights=RELATIONS, relation_heads=heads)
    # What nothing is compared with may be anything.
    TinyBertDistiller(teacher, student, loss_weights=LossWeights(attention=0.0), relation_heads=heads)


def test_saved_and_loaded(make_distiller, batch, tmp_path):
    distiller = make_distiller(ALL, relation_heads=3)
    train(distiller, batch)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert loaded.loss_weights == ALL and loaded.relation_heads == 3
    assert evaluate(loaded, batch) == pytest.approx(evaluate(distiller, batch), rel=1e-6)


def test_a_configuration_from_before_has_no_relations(make_distiller):
    config = make_distiller().get_config()
    old = {name: value for name, value in config.items() if name != "relation_heads"}
    old["loss_weights"] = {name: weight for name, weight in old["loss_weights"].items() if name != "relation"}
    assert TinyBertDistiller.from_config(old).get_config() == config
