"""ELECTRA as a configuration of the encoder: tables of their own width, its names, its folders, as teacher."""

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
from tinybert_tf.distillation.initialization import initialize_embeddings
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM
from tinybert_tf.presets.resolve import open_preset

SHAPE = {"pooler_activation": "gelu", "activation": "gelu", "family": "electra"}
WIDTHS = pytest.mark.parametrize("width", [0, 8, 24], ids=["as wide", "narrower", "wider"])


@pytest.fixture
def make_electra(make_encoder):
    """A function that makes a classifier on a tiny ELECTRA, with tables of a given width."""

    def make(width=8, **kwargs):
        model = BertClassifier(make_encoder(embedding_dim=width, **SHAPE | kwargs), ["bad", "good"], dropout=0.3)
        randomize(model.classifier, 3)
        return model

    return make


@WIDTHS
def test_a_classifier_equals_numpy_and_comes_back(make_electra, batch, tmp_path, width):
    classifier = make_electra(width)
    classifier.save_to_preset(tmp_path / "model")
    expected = bert_numpy.forward(tmp_path / "model", **batch)
    outputs = classifier(batch, return_intermediates=True)
    assert worst_error(outputs, expected) <= FLOAT32
    assert relative_error(outputs["logits"], expected["logits"]) <= FLOAT32
    loaded = BertClassifier.from_preset(tmp_path / "model")
    assert open_preset(tmp_path / "model").is_classifier and loaded.labels == ["bad", "good"] and loaded.dropout == 0.3
    assert loaded.config == classifier.config
    np.testing.assert_array_equal(loaded(batch), classifier(batch))


@WIDTHS
def test_names_are_those_of_transformers(make_electra, tmp_path, width):
    make_electra(width).save_to_preset(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert ("electra.embeddings_project.weight" in tensors) == bool(width)
    heads = {name for name in tensors if not name.startswith("electra.")}
    assert heads == {f"classifier.{layer}.{part}" for layer in ("dense", "out_proj") for part in ("weight", "bias")}
    assert tensors["electra.embeddings.LayerNorm.weight"].shape == (width or 12,)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "electra" and config["architectures"] == ["ElectraForSequenceClassification"]
    assert config["embedding_size"] == (width or 12) and config["hidden_size"] == 12


@WIDTHS
def test_a_generator_is_a_masked_lm(make_electra, batch, tmp_path, width):
    guesser = BertMaskedLM(make_electra(width).encoder)
    randomize(guesser, 4)
    guesser.save_to_preset(tmp_path)
    names = {name for name in load_file(tmp_path / "model.safetensors") if not name.startswith("electra.")}
    assert names == {f"generator_predictions.{n}.{p}" for n in ("dense", "LayerNorm") for p in ("weight", "bias")} | {
        "generator_lm_head.bias"
    }
    inputs = batch | {"masked_positions": np.full((3, 1), 2)}
    again = BertMaskedLM.from_preset(tmp_path, new_head=False)
    np.testing.assert_array_equal(again(inputs), guesser(inputs))


def test_an_encoder_comes_back_without_a_pooler(make_electra, batch, tmp_path):
    encoder = make_electra().encoder
    encoder.save_to_preset(tmp_path)
    loaded = BertEncoder.from_preset(tmp_path)
    np.testing.assert_array_equal(loaded(batch)["sequence_output"], encoder(batch)["sequence_output"])
    assert not any("pooler" in name or "classifier" in name for name in load_file(tmp_path / "model.safetensors"))


def test_a_discriminator_as_published_gets_a_new_head(make_electra, batch, tmp_path):
    encoder = make_electra().encoder
    encoder.save_to_preset(tmp_path)
    change_json(tmp_path / "config.json", architectures=["ElectraForPreTraining"])
    assert not open_preset(tmp_path).is_classifier
    loaded = BertClassifier.from_preset(tmp_path, labels=["bad", "good"])
    np.testing.assert_array_equal(loaded.encoder(batch)["sequence_output"], encoder(batch)["sequence_output"])


def test_a_keras_file_brings_it_back(make_electra, batch, tmp_path):
    make_electra().save(tmp_path / "model.keras")
    assert_close(keras.saving.load_model(tmp_path / "model.keras")(batch), make_electra()(batch))


def test_another_activation_is_refused(make_electra, make_encoder, tmp_path):
    make_electra().save_to_preset(tmp_path)
    change_json(tmp_path / "config.json", hidden_act="relu")
    with pytest.raises(InputError, match=r"config.json with hidden_act 'relu'; expected 'gelu'"):
        BertEncoder.from_preset(tmp_path)
    with pytest.raises(InputError, match=r"family: got bert for an encoder with embedding_dim 8; expected another"):
        make_encoder(embedding_dim=8).save_to_preset(tmp_path / "model")


@pytest.mark.parametrize(("hidden_dim", "width"), [(12, 0), (128, 64)], ids=["as wide", "narrower"])
def test_an_electra_teaches_a_bert(make_electra, make_classifier, hidden_dim, width):
    """Every loss is finite; in closed form, a student of the teacher's shape gives nearly the teacher's answers.

    A projection of 64 to 128 is not quite what a layer norm at 128 can do; of 8 to 12, it is far from it.
    """
    shape = {"hidden_dim": hidden_dim, "num_heads": 4, "num_layers": 1}
    teacher, student = make_electra(width, **shape), make_classifier(seed=5, **shape)
    ids = np.random.default_rng(0).integers(5, 30, (64, 9)).astype("int32")
    ids[:, 0] = 2
    texts = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    distiller = TinyBertDistiller(teacher, student)
    distiller.compile(keras.optimizers.AdamW(1e-3), run_eagerly=True)
    losses = distiller.train_on_batch(texts, return_dict=True)
    assert np.isfinite(list(losses.values())).all() and len(losses) > 3
    fits = initialize_from_teacher(distiller, [texts])
    assert fits[0].explained > (0.95 if width else 0.999)
    ours, theirs = (np.asarray(model(texts)) for model in (student, teacher))
    assert np.square(ours - theirs).sum() < 0.1 * np.square(theirs - theirs.mean(0)).sum()
    assert 0.99 < initialize_embeddings(distiller, [texts]) <= 1.0 + 1e-9


def test_a_student_with_other_tables_is_not_solved(make_electra, make_classifier, batch):
    distiller = TinyBertDistiller(make_classifier(), make_electra())
    with pytest.raises(InputError, match="student: got tables of width 8 in layers of 12"):
        initialize_from_teacher(distiller, [batch])
    with pytest.raises(InputError, match="student: got tables of width 8 in layers of 12"):
        initialize_embeddings(distiller, [batch])
