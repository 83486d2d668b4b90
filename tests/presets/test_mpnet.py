"""MPNet as a configuration of the encoder: its numbers, its vocabulary in BERT's order, its folders."""

import json

import numpy as np
import pytest

from tests.models.test_parity import inputs_of, worst_error
from tests.reference import bert_numpy
from tests.tolerance import REAL_WEIGHTS, assert_close
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.errors import InputError
from tinybert_tf.layers.relative_position import buckets_of
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM
from tinybert_tf.presets.families import FAMILIES
from tinybert_tf.presets.resolve import open_preset


@pytest.fixture
def mpnet(make_encoder):
    """A tiny MPNet."""
    return make_encoder(num_segments=0, relative_position_buckets=32, family="mpnet")


def test_buckets_of_relative_positions():
    """Near distances have one bucket each, far ones share, and keys before the query have the first half."""
    found = buckets_of(np.array([0, -1, -7, -8, -127, -500, 1, 7, 8, 500]), 32)
    assert found.tolist() == [0, 1, 7, 8, 15, 15, 17, 23, 24, 31]


def test_an_mpnet_ignores_segments(mpnet, batch):
    other = batch | {"segment_ids": 1 - np.asarray(batch["segment_ids"])}
    np.testing.assert_array_equal(mpnet(batch)["sequence_output"], mpnet(other)["sequence_output"])


def test_tokens_of_a_pair_are_those_of_a_bert(mpnet, make_encoder, tmp_path):
    """There is one separator between the texts, so that each token of the teacher is beside the student's."""
    pair = ["a film"], ["a b"]
    mpnet.save_to_preset(tmp_path)
    loaded = BertEncoder.from_preset(tmp_path)
    theirs, ours = loaded.tokenizer(*pair), make_encoder().tokenizer(*pair)
    assert (np.asarray(theirs["token_ids"]) == np.asarray(ours["token_ids"])).all()
    pieces = (tmp_path / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = FAMILIES["mpnet"].vocabulary(tmp_path)
    ids = np.asarray(theirs["token_ids"])[0][np.asarray(theirs["padding_mask"])[0] == 1]
    read = [pieces[place] for place in vocabulary.rows[ids]]
    assert read[0] == "<s>" and read[-1] == "</s>" and read.count("</s>") == 2


def test_a_classifier_comes_back_from_its_folder(mpnet, batch, tmp_path):
    model = BertClassifier(mpnet, ["bad", "good"])
    model.save_to_preset(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["model_type"] == "mpnet" and config["architectures"] == ["MPNetForSequenceClassification"]
    assert config["vocab_size"] == len(mpnet.tokenizer.vocabulary) + 5
    loaded = BertClassifier.from_preset(tmp_path / "model")
    assert open_preset(tmp_path / "model").is_classifier and loaded.labels == ["bad", "good"]
    assert loaded.tokenizer.vocabulary == mpnet.tokenizer.vocabulary
    np.testing.assert_array_equal(loaded(batch), model(batch))


def test_special_tokens_may_be_objects(mpnet, batch, tmp_path):
    mpnet.save_to_preset(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"mask_token": {"__type": "AddedToken", "content": "<mask>"}}))
    loaded = BertEncoder.from_preset(tmp_path)
    np.testing.assert_array_equal(loaded(batch)["sequence_output"], mpnet(batch)["sequence_output"])


def test_a_keras_file_brings_an_mpnet_back(mpnet, batch, tmp_path):
    import keras

    mpnet.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(loaded(batch)["sequence_output"], mpnet(batch)["sequence_output"])


@pytest.mark.parametrize("lost", ["[MASK]", "</s>"])
def test_a_vocabulary_without_a_place_for_each_piece_is_refused(mpnet, tmp_path, lost):
    mpnet.save_to_preset(tmp_path / "model")
    file = tmp_path / "model" / "vocab.txt"
    file.write_text(file.read_text().replace(f"{lost}\n", "[other]\n", 1))
    with pytest.raises(InputError, match="BERT's WordPieces and MPNet's special tokens"):
        BertEncoder.from_preset(tmp_path / "model")


def test_an_mpnet_does_not_load_as_a_masked_lm(mpnet, tmp_path):
    mpnet.save_to_preset(tmp_path / "model")
    with pytest.raises(InputError, match="of the family mpnet; expected a BERT"):
        BertMaskedLM.from_preset(tmp_path / "model")


def test_an_mpnet_teaches_a_bert(mpnet, make_encoder, batch):
    """The student reads the same ids; every loss is finite, and the relative positions stay the teacher's."""
    import keras

    student = make_encoder(hidden_dim=12)
    distiller = TinyBertDistiller(mpnet, student, loss_weights=LossWeights())
    distiller.compile(keras.optimizers.AdamW(1e-3), run_eagerly=True)
    before = np.asarray(mpnet.position_bias.table.embeddings)
    losses = distiller.train_on_batch(batch, return_dict=True)
    assert set(losses) == {"loss", "embedding_loss", "hidden_loss", "attention_loss"}
    assert np.isfinite(list(losses.values())).all()
    np.testing.assert_array_equal(before, mpnet.position_bias.table.embeddings)


def test_attention_is_matched_with_or_without_the_bias(mpnet, make_encoder, batch):
    """A student with the teacher's weights but no bias matches the first layer's scores only without the bias."""
    from tests.conftest import randomize

    randomize(mpnet, 1)
    student = make_encoder(num_segments=0)
    for ours, theirs in zip([student.embeddings, *student.blocks], [mpnet.embeddings, *mpnet.blocks]):
        ours.set_weights(theirs.get_weights())
    losses = {}
    for bias in (True, False):
        weights = LossWeights(embedding=0.0, hidden=0.0, attention=(1.0, 0.0))
        distiller = TinyBertDistiller(mpnet, student, [1, 2], weights, match_position_bias=bias)
        assert TinyBertDistiller.from_config(distiller.get_config()).match_position_bias is bias
        distiller.compile(run_eagerly=True)
        losses[bias] = distiller.evaluate(batch, verbose=0, return_dict=True)["attention_loss"]
    assert losses[True] > 0.01 and losses[False] < 1e-10


@pytest.mark.assets
@pytest.mark.parametrize("lengths", [[1], [150, 3]], ids=str)
def test_real_weights_equal_numpy(real_mpnet, lengths):
    """150 tokens reach the farthest bucket: distances from 128 on."""
    folder, encoder = real_mpnet
    inputs = inputs_of(lengths)
    assert worst_error(encoder(inputs, return_intermediates=True), bert_numpy.forward(folder, **inputs)) <= REAL_WEIGHTS


@pytest.fixture(scope="module")
def real_mpnet():
    """all-mpnet-base-v2, 440 MB."""
    from tinybert_tf import assets

    folder = assets.fetch("mpnet_base")
    return folder, BertEncoder.from_preset("mpnet_base")
