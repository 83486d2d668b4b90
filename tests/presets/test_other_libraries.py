"""The saved folder in keras-hub and in Hugging Face transformers."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import PIECES
from tests.presets.folders import same
from tests.tolerance import assert_close
from tinybert_tf.models import BertClassifier, BertTokenizer


def test_keras_hub_opens_our_folder(make_encoder, tmp_path, batch):
    import keras_hub

    encoder = make_encoder()
    encoder.save_to_preset(tmp_path / "model")
    backbone = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "model"))
    theirs, ours = backbone(batch), encoder(batch)
    for name in ("sequence_output", "pooled_output"):
        assert_close(ours[name], theirs[name])
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(tmp_path / "model"))
    texts = ["A fine film, unplayed.", "the dullest story!"]
    assert tokenizer.get_vocabulary() == PIECES and tokenizer.lowercase
    assert [list(row) for row in tokenizer(texts)] == encoder.tokenizer.tokenize(texts).to_list()


needs_transformers = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")),
    reason="torch and transformers are not installed: they come with the extra `bench`",
)

RUN_TRANSFORMERS = """
import json, sys, torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
folder, again, texts, pairs = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
tokenizer = AutoTokenizer.from_pretrained(folder)
tokens = tokenizer(texts, pairs, padding=True, return_tensors="pt")
classifier = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with torch.no_grad():
    encoder = AutoModel.from_pretrained(folder).eval()(**tokens, output_hidden_states=True)
    logits = classifier(**tokens).logits
tokenizer.save_pretrained(again)
classifier.save_pretrained(again)
print(json.dumps({
    "token_ids": tokens["input_ids"].tolist(),
    "pooled_output": encoder.pooler_output.tolist(),
    "hidden_states": [state.tolist() for state in encoder.hidden_states],
    "logits": logits.tolist(),
    "labels": [classifier.config.id2label[i] for i in range(len(classifier.config.id2label))],
    "limit": tokenizer.model_max_length,
}))
"""


def run_transformers(folder, again, texts, pairs):
    """Outputs of transformers."""
    return run_python(RUN_TRANSFORMERS, folder, again, json.dumps(texts), json.dumps(pairs))


def run_python(code, *arguments):
    """Returns the JSON that code prints in a process of its own: torch and TensorFlow do not always get along."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "USE_TF": "0"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(result.stdout.splitlines()[-1])


@needs_transformers
@pytest.mark.parametrize(
    ("lowercase", "labels"),
    [(True, ["bad", "good", "neither"]), (False, ["LABEL_0", "LABEL_1"])],
    ids=["own", "default"],
)
def test_transformers_opens_our_folder_and_we_open_its_own(make_classifier, vocabulary, tmp_path, lowercase, labels):
    tokenizer = BertTokenizer(vocabulary, lowercase=lowercase, sequence_length=20)
    classifier = make_classifier(labels=labels, tokenizer=tokenizer)
    classifier.save_to_preset(tmp_path / "model")
    texts, pairs = ["A fine film, unplayed!", "a film"], ["the story", "it"]
    theirs = run_transformers(tmp_path / "model", tmp_path / "again", texts, pairs)
    tokens = tokenizer(texts, pairs)
    ours = classifier(tokens, return_intermediates=True)
    assert theirs["token_ids"] == tokens["token_ids"].numpy().tolist()
    assert theirs["labels"] == labels and theirs["limit"] == 20
    for name in ("logits", "pooled_output"):
        assert_close(ours[name], theirs[name])
    for a, b in zip(theirs["hidden_states"], ours["hidden_states"], strict=True):
        assert_close(b, a)
    again = BertClassifier.from_preset(tmp_path / "again")
    assert again.labels == labels and again.config == classifier.config
    assert again.tokenizer.get_config() == tokenizer.get_config()
    assert same(again, classifier, tokens)
