"""DistilBERT as a configuration of the encoder: its numbers, its names, its folders, as teacher and as classifier."""

import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import randomize
from tests.models.test_parity import worst_error
from tests.presets.folders import change_json
from tests.reference import bert_numpy
from tests.tolerance import FLOAT32, assert_close, relative_error
from tinybert_tf.distillation import TinyBertDistiller, initialize_from_teacher
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM
from tinybert_tf.presets.resolve import open_preset

SHAPE = {"num_segments": 0, "pooler_activation": "relu", "family": "distilbert"}
LAYER = {f"attention.{name}_lin" for name in ("q", "k", "v", "out")} | {
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
}


@pytest.fixture
def distilbert(make_encoder):
    """A tiny DistilBERT."""
    return make_encoder(**SHAPE)


@pytest.fixture
def classifier(distilbert):
    model = BertClassifier(distilbert, ["bad", "good"], dropout=0.3)
    randomize(model.classifier, 3)
    return model


def layers_in(folder):
    return {name.rsplit(".", 1)[0] for name in load_file(folder / "model.safetensors")}


def test_a_classifier_equals_numpy_and_comes_back(classifier, batch, tmp_path):
    classifier.save_to_preset(tmp_path / "model")
    expected = bert_numpy.forward(tmp_path / "model", **batch)
    outputs = classifier(batch, return_intermediates=True)
    assert worst_error(outputs, expected) <= FLOAT32
    assert relative_error(outputs["logits"], expected["logits"]) <= FLOAT32
    assert (np.asarray(outputs["pooled_output"]) >= 0).all() and (np.asarray(outputs["pooled_output"]) == 0).any()

    loaded = BertClassifier.from_preset(tmp_path / "model")
    assert open_preset(tmp_path / "model").is_classifier and loaded.labels == ["bad", "good"] and loaded.dropout == 0.3
    assert loaded.config == classifier.config
    np.testing.assert_array_equal(loaded(batch), classifier(batch))


def test_names_are_those_of_transformers(classifier, distilbert, tmp_path):
    classifier.save_to_preset(tmp_path / "classifier")
    distilbert.save_to_preset(tmp_path / "encoder")
    BertMaskedLM(distilbert).save_to_preset(tmp_path / "guesser")
    tables = {"word_embeddings", "position_embeddings", "LayerNorm"}
    own = {f"embeddings.{name}" for name in tables}
    own |= {f"transformer.layer.{i}.{name}" for i in (0, 1) for name in LAYER}
    assert layers_in(tmp_path / "encoder") == own
    prefixed = {f"distilbert.{name}" for name in own}
    assert layers_in(tmp_path / "classifier") == prefixed | {"pre_classifier", "classifier"}
    assert layers_in(tmp_path / "guesser") == prefixed | {"vocab_transform", "vocab_layer_norm", "vocab_projector"}
    config = json.loads((tmp_path / "classifier" / "config.json").read_text())
    assert config["model_type"] == "distilbert" and config["architectures"] == ["DistilBertForSequenceClassification"]
    sizes = ("n_layers", "dim", "n_heads", "hidden_dim", "vocab_size", "max_position_embeddings")
    assert [config[name] for name in sizes] == [2, 12, 3, 20, 30, 24]
    assert config["seq_classif_dropout"] == 0.3 and not {"hidden_size", "type_vocab_size", "layer_norm_eps"} & set(
        config
    )


def test_an_encoder_and_a_masked_lm_come_back(distilbert, batch, tmp_path):
    distilbert.save_to_preset(tmp_path / "encoder")
    loaded = BertEncoder.from_preset(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded(batch)["sequence_output"], distilbert(batch)["sequence_output"])
    guesser = BertMaskedLM(distilbert)
    randomize(guesser, 4)
    guesser.save_to_preset(tmp_path / "guesser")
    inputs = batch | {"masked_positions": np.full((3, 1), 2)}
    again = BertMaskedLM.from_preset(tmp_path / "guesser", new_head=False)
    np.testing.assert_array_equal(again(inputs), guesser(inputs))


def test_segments_are_ignored_and_a_keras_file_brings_it_back(classifier, batch, tmp_path):
    other = batch | {"segment_ids": 1 - np.asarray(batch["segment_ids"])}
    np.testing.assert_array_equal(classifier(batch), classifier(other))
    classifier.save(tmp_path / "model.keras")
    assert_close(keras.saving.load_model(tmp_path / "model.keras")(batch), classifier(batch))


def test_a_config_without_model_type_is_known_by_its_keys(distilbert, batch, tmp_path):
    distilbert.save_to_preset(tmp_path)
    change_json(tmp_path / "config.json", model_type=..., architectures=...)
    loaded = BertEncoder.from_preset(tmp_path)
    assert loaded.config == distilbert.config
    np.testing.assert_array_equal(loaded(batch)["sequence_output"], distilbert(batch)["sequence_output"])


@pytest.mark.parametrize("field", [{"num_segments": 2}, {"pooler_activation": "tanh"}, {"layer_norm_epsilon": 1e-5}])
def test_another_encoder_is_not_saved_as_a_distilbert(make_encoder, tmp_path, field):
    with pytest.raises(InputError, match=rf"family: got distilbert for an encoder with {next(iter(field))} "):
        make_encoder(**SHAPE | field).save_to_preset(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_distilbert_teaches_a_bert(classifier, make_classifier, batch):
    """Every loss is finite; in closed form, a student of the teacher's shape gives nearly the teacher's answers."""
    student = make_classifier(seed=5, hidden_dim=12)
    distiller = TinyBertDistiller(classifier, student)
    distiller.compile(keras.optimizers.AdamW(1e-3), run_eagerly=True)
    losses = distiller.train_on_batch(batch, return_dict=True)
    assert np.isfinite(list(losses.values())).all() and len(losses) > 3
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 30, (64, 9)).astype("int32")
    ids[:, 0] = 2
    ones = np.ones_like(ids)
    texts = {"token_ids": ids, "segment_ids": 0 * ones, "padding_mask": ones}
    initialize_from_teacher(distiller, [texts])
    ours, theirs = (np.asarray(model(texts)) for model in (student, classifier))
    spread = np.square(theirs - theirs.mean(0)).sum()
    assert np.square(ours - theirs).sum() < 0.1 * spread
