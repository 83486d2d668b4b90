"""The span head: Hugging Face's folder, an independent forward pass, and padding that no answer falls on."""

import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import randomize
from tests.presets.folders import change_json
from tests.presets.test_other_libraries import needs_transformers, run_python
from tests.reference import bert_numpy
from tests.tolerance import FLOAT32, assert_close, relative_error
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertEncoder, BertQuestionAnswerer
from tinybert_tf.presets.resolve import open_preset

FAMILIES = {
    "bert": {"activation": "gelu"},
    "distilbert": {"num_segments": 0, "pooler_activation": "relu", "family": "distilbert"},
    "electra": {"pooler_activation": "gelu", "activation": "gelu", "family": "electra", "embedding_dim": 7},
}


@pytest.fixture
def answerer(make_encoder):
    return make(make_encoder)


def make(make_encoder, **shape):
    model = BertQuestionAnswerer(make_encoder(**{"activation": "gelu"} | shape))
    model.clear_unused_pooler()
    randomize(model.qa_outputs, 3)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_equals_numpy_and_comes_back(make_encoder, batch, tmp_path, family):
    model = make(make_encoder, **FAMILIES[family])
    model.save_to_preset(tmp_path / "model")
    expected = bert_numpy.forward(tmp_path / "model", **batch)["span_logits"]
    outputs, valid = model(batch), batch["padding_mask"].astype(bool)
    for place, name in enumerate(("start_logits", "end_logits")):
        assert relative_error(np.asarray(outputs[name])[valid], expected[..., place][valid]) <= FLOAT32

    again = BertQuestionAnswerer.from_preset(tmp_path / "model", new_head=False)
    assert again.config == model.config
    for name, value in again(batch).items():
        np.testing.assert_array_equal(value, outputs[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_folder_has_the_names_of_transformers(make_encoder, tmp_path, family):
    make(make_encoder, **FAMILIES[family]).save_to_preset(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    names = {"bert": "Bert", "distilbert": "DistilBert", "electra": "Electra"}
    assert config["architectures"] == [f"{names[family]}ForQuestionAnswering"]
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    assert tensors["qa_outputs.weight"].shape == (2, 12) and tensors["qa_outputs.bias"].shape == (2,)
    assert not any("pooler" in name or "classifier" in name for name in tensors)
    assert all(name.startswith((f"{family}.", "qa_outputs.")) for name in tensors)
    source = open_preset(tmp_path / "model")
    assert source.answers_questions and not source.is_classifier


def test_no_probability_falls_on_padding(answerer, batch):
    for logits in answerer(batch).values():
        probabilities = np.asarray(keras.ops.softmax(logits))
        assert probabilities[batch["padding_mask"] == 0].max() == 0.0


def test_longer_padding_changes_nothing(answerer, batch):
    longer = {name: np.pad(value, [(0, 0), (0, 5)]) for name, value in batch.items()}
    for name, logits in answerer(batch).items():
        assert_close(np.asarray(answerer(longer)[name])[:, :9], logits)


def test_intermediates(answerer, batch):
    outputs = answerer(batch, return_intermediates=True)
    names = {"sequence_output", "pooled_output", "hidden_states", "attention_scores", "start_logits", "end_logits"}
    assert set(outputs) == names and len(outputs["hidden_states"]) == 3
    np.testing.assert_array_equal(outputs["end_logits"], answerer(batch)["end_logits"])


def test_the_pooler_is_not_trained(answerer):
    trained = {id(variable) for variable in answerer.trainable_variables}
    assert not trained & {id(variable) for variable in answerer.encoder.pooler.weights}
    assert {id(variable) for variable in answerer.qa_outputs.weights} <= trained


def test_a_keras_file_brings_it_back(answerer, batch, tmp_path):
    answerer.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(batch)["start_logits"], answerer(batch)["start_logits"])


def test_an_encoder_without_the_head_is_refused_where_it_is_needed(folder):
    with pytest.raises(InputError, match=r"preset: got .* without qa_outputs"):
        BertQuestionAnswerer.from_preset(folder, new_head=False)
    assert isinstance(BertQuestionAnswerer.from_preset(folder), BertQuestionAnswerer)
    assert not open_preset(folder).answers_questions


def test_a_classifier_is_no_question_answerer(classifier_folder):
    assert not open_preset(classifier_folder).answers_questions


def test_a_folder_of_an_old_transformers_with_a_pooler_is_read(answerer, batch, tmp_path):
    answerer.save_to_preset(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    pooler = {
        "bert.pooler.dense.weight": np.ones((12, 12), "float32"),
        "bert.pooler.dense.bias": np.ones(12, "float32"),
    }
    save_file(load_file(file) | pooler, file)
    again = BertQuestionAnswerer.from_preset(tmp_path / "model")
    np.testing.assert_array_equal(again(batch)["start_logits"], answerer(batch)["start_logits"])
    assert not np.asarray(again.encoder.pooler.kernel).any()


def test_a_head_of_another_width_is_refused(answerer, tmp_path):
    answerer.save_to_preset(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    save_file(load_file(file) | {"qa_outputs.weight": np.zeros((3, 12), "float32")}, file)
    with pytest.raises(InputError, match=r"qa_outputs\.weight"):
        BertQuestionAnswerer.from_preset(tmp_path / "model")


def test_the_encoder_of_a_question_answerer_can_be_had(answerer, batch, tmp_path):
    answerer.save_to_preset(tmp_path / "model")
    change_json(tmp_path / "model" / "config.json", transformers_version="4.0")
    encoder = BertEncoder.from_preset(str(tmp_path / "model"))
    np.testing.assert_array_equal(encoder(batch)["sequence_output"], answerer.encoder(batch)["sequence_output"])


RUN = """
import json, sys, torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
model = AutoModelForQuestionAnswering.from_pretrained(sys.argv[1]).eval()
batch = {name: torch.tensor(rows) for name, rows in json.loads(sys.argv[3]).items()}
model.save_pretrained(sys.argv[2])
AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
with torch.no_grad():
    outputs = model(**batch)
print(json.dumps({name: outputs[name].tolist() for name in ("start_logits", "end_logits")}))
"""


@needs_transformers
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_opens_our_folder_and_we_open_its_own(make_encoder, batch, tmp_path, family):
    model = make(make_encoder, **FAMILIES[family])
    model.save_to_preset(tmp_path / "model")
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    given = {names[name]: rows.tolist() for name, rows in batch.items()}
    if not model.config.num_segments:
        del given["token_type_ids"]
    theirs = run_python(RUN, tmp_path / "model", tmp_path / "again", json.dumps(given))
    ours, valid = model(batch), batch["padding_mask"].astype(bool)
    for name, logits in theirs.items():
        assert_close(np.asarray(ours[name])[valid], np.array(logits)[valid])
    again = BertQuestionAnswerer.from_preset(tmp_path / "again", new_head=False)
    for name, logits in again(batch).items():
        np.testing.assert_array_equal(logits, ours[name])
