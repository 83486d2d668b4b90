"""The saved folder in keras-hub and in Hugging Face transformers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import PIECES


def test_keras_hub_opens_it(make_encoder, tmp_path, batch):
    import keras_hub

    encoder = make_encoder()
    encoder.save_to_preset(tmp_path / "model")
    backbone = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "model"))
    theirs, ours = backbone(batch), encoder(batch)
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-5)
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(tmp_path / "model"))
    texts = ["A fine film, unplayed.", "the dullest story!"]
    assert tokenizer.get_vocabulary() == PIECES and tokenizer.lowercase
    assert [list(row) for row in tokenizer(texts)] == encoder.tokenizer.tokenize(texts).to_list()


TRANSFORMERS_CHECK = """
import json, sys, warnings
import numpy as np, torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
folder, text = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
tokens = tokenizer([text, "a film"], ["the story", "it"], padding=True, return_tensors="pt")
with torch.no_grad():
    encoder = AutoModel.from_pretrained(folder).eval()(**tokens, output_hidden_states=True)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    logits = classifier(**tokens).logits
print(json.dumps({
    "token_ids": tokens["input_ids"].tolist(),
    "pooled_output": encoder.pooler_output.tolist(),
    "hidden_states": [state.tolist() for state in encoder.hidden_states],
    "logits": logits.tolist(),
    "labels": [classifier.config.id2label[i] for i in range(len(classifier.config.id2label))],
    "limit": tokenizer.model_max_length,
}))
"""


@pytest.mark.parametrize("lowercase", [True, False])
def test_transformers_opens_it(make_classifier, vocabulary, tmp_path, lowercase):
    """In its own process: torch and TensorFlow in one process have quarrelled before."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tinybert_tf.models import BertTokenizer

    tokenizer = BertTokenizer(vocabulary, lowercase=lowercase, sequence_length=20)
    classifier = make_classifier(tokenizer=tokenizer)
    classifier.save_to_preset(tmp_path / "model")
    text = "A fine film, unplayed!"
    command = [sys.executable, "-c", TRANSFORMERS_CHECK, str(tmp_path / "model"), text]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "USE_TF": "0"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    theirs = json.loads(result.stdout.splitlines()[-1])
    tokens = tokenizer([text, "a film"], ["the story", "it"])
    ours = classifier(tokens, return_intermediates=True)
    assert theirs["token_ids"] == tokens["token_ids"].numpy().tolist()
    assert theirs["labels"] == classifier.labels and theirs["limit"] == 20
    np.testing.assert_allclose(theirs["logits"], ours["logits"], atol=1e-5)
    np.testing.assert_allclose(theirs["pooled_output"], ours["pooled_output"], atol=1e-5)
    for a, b in zip(theirs["hidden_states"], ours["hidden_states"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
