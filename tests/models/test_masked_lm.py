"""The masked language model: Hugging Face's head, its folder, and guesses only at masked positions."""

import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.special import erf

from tests.conftest import randomize
from tests.presets.test_other_libraries import needs_transformers, run_python
from tests.tolerance import assert_close
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertEncoder, BertMaskedLM


@pytest.fixture
def masked_lm(make_encoder):
    model = BertMaskedLM(make_encoder(activation="gelu"))
    for layer in (model.transform, model.transform_norm):
        randomize(layer, seed=1)
    model.output_bias.assign(np.random.default_rng(2).normal(size=model.output_bias.shape))
    return model


def masked(batch):
    return batch | {"masked_positions": np.array([[1, 3], [2, 4], [1, 2]], "int32")}


def test_logits_are_those_of_an_independent_head(masked_lm, batch):
    hidden = masked_lm.encoder(batch)["sequence_output"].numpy().astype(np.float64)
    hidden = hidden[np.arange(3)[:, None], masked(batch)["masked_positions"]]
    kernel, bias = (v.numpy().astype(np.float64) for v in masked_lm.transform.weights)
    x = hidden @ kernel + bias
    x = x * 0.5 * (1 + erf(x / np.sqrt(2)))
    gamma, beta = (v.numpy().astype(np.float64) for v in masked_lm.transform_norm.weights)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * gamma + beta
    expected = x @ masked_lm.encoder.embeddings.token_embedding.embeddings.numpy().T + masked_lm.output_bias.numpy()
    assert_close(masked_lm(masked(batch)), expected)


def test_a_folder_brings_a_masked_lm_back(masked_lm, batch, tmp_path):
    masked_lm.save_to_preset(tmp_path / "model")
    again = BertMaskedLM.from_preset(str(tmp_path / "model"))
    np.testing.assert_array_equal(again(masked(batch)), masked_lm(masked(batch)))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["BertForMaskedLM"]
    names = set(load_file(tmp_path / "model" / "model.safetensors"))
    assert "cls.predictions.transform.LayerNorm.weight" in names and "cls.predictions.bias" in names
    assert not any("pooler" in name for name in names)


def test_a_keras_file_brings_a_masked_lm_back(masked_lm, batch, tmp_path):
    masked_lm.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(masked(batch)), masked_lm(masked(batch)))


def test_a_new_head_starts_at_the_identity(make_encoder):
    model = BertMaskedLM(make_encoder())
    np.testing.assert_array_equal(model.transform.kernel, np.eye(12))


def test_an_encoder_without_the_head_is_refused_where_it_is_needed(folder):
    with pytest.raises(InputError, match=r"preset: got .* without cls\.predictions"):
        BertMaskedLM.from_preset(folder, new_head=False)
    assert isinstance(BertMaskedLM.from_preset(folder), BertMaskedLM)


def test_the_encoder_of_a_masked_lm_can_be_had(masked_lm, batch, tmp_path):
    masked_lm.save_to_preset(tmp_path / "model")
    encoder = BertEncoder.from_preset(str(tmp_path / "model"))
    np.testing.assert_array_equal(encoder(batch)["sequence_output"], masked_lm.encoder(batch)["sequence_output"])


RUN = """
import json, sys, torch
from transformers import AutoModelForMaskedLM
model = AutoModelForMaskedLM.from_pretrained(sys.argv[1]).eval()
batch = {name: torch.tensor(rows) for name, rows in json.loads(sys.argv[2]).items()}
with torch.no_grad():
    print(json.dumps(model(**batch).logits.tolist()))
"""


@needs_transformers
def test_transformers_opens_a_masked_lm(masked_lm, batch, tmp_path):
    masked_lm.save_to_preset(tmp_path / "model")
    theirs = {
        "input_ids": batch["token_ids"].tolist(),
        "token_type_ids": batch["segment_ids"].tolist(),
        "attention_mask": batch["padding_mask"].tolist(),
    }
    logits = np.array(run_python(RUN, tmp_path / "model", json.dumps(theirs)))
    positions = masked(batch)["masked_positions"]
    assert_close(masked_lm(masked(batch)), logits[np.arange(3)[:, None], positions])
