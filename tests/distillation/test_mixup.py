"""Mixtures of two texts, which both models read."""

import keras
import numpy as np
import pytest

from tests.distillation.conftest import tensors, train
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.mixup import mix
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.settings.stages import AllConfig, TaskConfig

SHARE = 0.25  # of the first text in every mixture below: the square of sin(pi / 6)


def mixed(batch, chosen=(1, 1), place=1 / 3):
    """The mixture of each text with the next; the last one's next is the first."""
    draws = np.stack([1 - np.resize(chosen, len(batch["token_ids"])), np.full(len(batch["token_ids"]), place)])
    return mix(tensors(batch), 0.5, draws.astype(np.float32))


@pytest.fixture
def of_two(batch):
    """Two texts, of which the second ends earlier."""
    rows = {name: value[:2].copy() for name, value in batch.items()}
    rows["padding_mask"][:] = 1
    rows["padding_mask"][1, 3:] = 0
    return rows


def test_embeddings_are_mixed_where_both_texts_have_a_token(make_encoder, of_two):
    encoder = make_encoder(dropout=0.0)
    first, second = np.array(encoder(of_two, return_intermediates=True)["hidden_states"][0])
    inputs = mixed(of_two)
    found = np.array(encoder(inputs, return_intermediates=True)["hidden_states"][0])
    np.testing.assert_allclose(found[0, :3], (SHARE * first + (1 - SHARE) * second)[:3], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1, :3], (SHARE * second + (1 - SHARE) * first)[:3], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[:, 3:], np.stack([first[3:]] * 2))  # the longer text's alone
    np.testing.assert_array_equal(inputs["padding_mask"], np.ones_like(of_two["padding_mask"]))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_texts_that_are_not_chosen_stay_as_they_are(make_encoder, of_two, dtype):
    encoder = make_encoder(dropout=0.0, dtype=dtype)
    inputs = mixed(of_two, chosen=(0, 0))
    np.testing.assert_array_equal(inputs["padding_mask"], of_two["padding_mask"])
    both = (encoder(each, return_intermediates=True)["hidden_states"][0] for each in (inputs, of_two))
    ours, theirs = (keras.ops.convert_to_numpy(keras.ops.cast(hidden, "float32")) for hidden in both)
    valid = of_two["padding_mask"].astype(bool)
    np.testing.assert_array_equal(ours[valid], theirs[valid])


def test_what_stands_in_padding_changes_nothing(make_encoder, of_two):
    encoder = make_encoder(dropout=0.0)
    garbage = of_two | {"token_ids": np.where(of_two["padding_mask"], of_two["token_ids"], 7)}
    ours, theirs = (np.array(encoder(mixed(rows))["pooled_output"]) for rows in (of_two, garbage))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "models",
    [
        {},
        {"labels": ("score",)},
        {"teacher": {"num_segments": 0, "relative_position_buckets": 8, "family": "mpnet"}},
        {"teacher": {"pooler_activation": "gelu", "embedding_dim": 7, "family": "electra"}},
    ],
    ids=["bert", "regression", "mpnet", "electra"],
)
def test_a_step_matches_both_models_on_the_same_mixtures(make_distiller, batch, models):
    distiller = make_distiller(LossWeights.joint(), mixup=1.0, **models)
    drawn = keras.random.uniform
    draws = {}

    def remember(shape, seed):
        draws["last"] = drawn(shape, seed=seed)
        return draws["last"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.random, "uniform", remember)
        logs = train(distiller, batch)
    inputs = mix(tensors(batch), 1.0, draws["last"])
    plain = make_distiller(LossWeights.joint(), **models)
    expected = {name: float(value) for name, value in plain.test_step((inputs,)).items()}
    assert logs["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert logs["loss"] != pytest.approx(train(make_distiller(LossWeights.joint(), **models), batch)["loss"], rel=1e-3)


def test_evaluation_mixes_nothing(make_distiller, batch):
    ours, theirs = (make_distiller(LossWeights.joint(), mixup=share) for share in (1.0, 0.0))
    assert ours.test_step((tensors(batch),)) == theirs.test_step((tensors(batch),))


def test_answers_that_are_given_are_none_to_mixtures(make_distiller, batch):
    distiller = make_distiller(LossWeights.prediction_only(), mixup=0.5)
    with pytest.raises(InputError, match=r"^inputs: got teacher_logits, with mixup; expected none"):
        distiller.compute_losses(tensors(batch | {"teacher_logits": np.zeros((len(batch["token_ids"]), 2))}), True)


def test_what_cannot_be_mixed_is_refused(make_distiller, make_encoder):
    classifier, answerer = make_distiller(LossWeights.joint()).student, BertQuestionAnswerer(make_encoder())
    for mixup in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match=r"^mixup: got .*; expected a probability, from 0 to 1"):
            TinyBertDistiller(classifier, classifier, mixup=mixup)
    with pytest.raises(InputError, match=r"^mixup: got 0\.5; expected 0 without a teacher"):
        TinyBertDistiller(None, classifier, loss_weights=LossWeights.prediction_only(), mixup=0.5)
    with pytest.raises(InputError, match=r"^mixup: got 0\.5; expected 0 for a BertQuestionAnswerer"):
        TinyBertDistiller(answerer, answerer, loss_weights=LossWeights.joint(), mixup=0.5)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"mixup": 2.0}, "mixup: got 2"),
        ({"teacher_predictions": ("answers.jsonl",)}, "mixup: got .*; expected 0 with --teacher_predictions"),
        ({"layer_cache": "layers"}, "layer_cache: got .*; expected none with --mixup"),
        ({"batch_size": 1}, "mixup: got .*; expected 0 where texts are computed one"),
    ],
)
@pytest.mark.parametrize("config", [TaskConfig, AllConfig])
def test_settings_that_rule_mixtures_out(config, settings, words):
    with pytest.raises(InputError, match=f"^{words}"):
        config(**{"mixup": 0.5, "train_file": "mine.csv"} | settings)


def test_rows_that_are_computed_one_by_one_rule_mixtures_out():
    with pytest.raises(InputError, match=r"^mixup: got 0\.5; expected 0 where texts are computed one"):
        TaskConfig(mixup=0.5, train_file="mine.csv", batch_size=8, gradient_accumulation_steps=8)


def test_the_saved_distiller_mixes_too(make_distiller):
    distiller = make_distiller(LossWeights.joint(), mixup=0.25)
    assert type(distiller).from_config(distiller.get_config()).mixup == 0.25


def test_a_checkpoint_holds_what_is_drawn_next(make_distiller):
    distiller = make_distiller(LossWeights.joint(), mixup=0.25)
    assert id(distiller._seeds.state) in {id(variable) for variable in distiller.learned_variables}
