"""MediaPipe's TextClassifier loads the files unchanged and gives the answers that our own runtime gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tinybert_tf import assets
from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer
from tinybert_tf.tflite import TextClassifier

VERSION = "mediapipe==1.2.2"
TEXTS = [
    "A gripping, beautifully acted film.",
    "It's neither funny nor, at 140 minutes, short; I'd rather have stayed at home.",
    "",
    "word " * 5000,
]

pytestmark = pytest.mark.assets


@pytest.fixture(scope="session")
def mediapipe():
    """A function that asks MediaPipe, which is installed beside this environment: see `mediapipe_answers.py`."""
    folder = assets.home() / "test_packages" / f"{VERSION}-alone"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", partial, VERSION]
        subprocess.run(command, check=True)
        partial.rename(folder)

    def ask(model, texts):
        script = Path(__file__).with_name("mediapipe_answers.py")
        environment = os.environ | {"PYTHONPATH": str(folder)}
        done = subprocess.run(
            [sys.executable, script, model], input=json.dumps(texts), capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return ask


@pytest.fixture(params=["any length", "fixed length", "several labels", "int8_pq"])
def exported(request, export):
    """MiniLM's first two layers, and narrow models with random weights; all have the real vocabulary."""
    keras.utils.set_random_seed(0)
    if request.param == "any length":
        encoder = BertEncoder.from_preset("minilm_l6", num_layers=2)
        return export(BertClassifier(encoder, ["a", "b", "c"]), "float32", 64)
    tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
    encoder = BertEncoder(len(tokenizer.vocabulary), 1, 12, 48, 96, tokenizer=tokenizer)
    several = request.param == "several labels"
    classifier = BertClassifier(encoder, ["a", "b", "c"], multi_label=several)
    if request.param == "int8_pq":
        return export(classifier, "int8_pq", 64)
    return export(classifier, "float32", 64, fixed=not several)


def test_mediapipe_gives_our_answers(mediapipe, exported):
    """Within 1e-4 for ASCII text, an empty one and one of 5,000 words."""
    ours = TextClassifier(exported)(TEXTS)
    for mine, theirs in zip(ours, mediapipe(exported, TEXTS), strict=True):
        assert theirs == pytest.approx(mine["probabilities"], abs=1e-4)


def test_mediapipe_gives_no_class_below_the_threshold(mediapipe, export):
    keras.utils.set_random_seed(0)
    classifier = BertClassifier(BertEncoder.from_preset("minilm_l6", num_layers=2), ["a", "b", "c"])
    classifier.classifier.kernel.assign(20 * classifier.classifier.kernel)  # answers that differ
    best = np.sort(TextClassifier(export(classifier, "float32", 64)).predict(TEXTS).max(1))
    model = export(classifier, "float32", 64, abstain_below=float(best[1:3].mean()))
    ours, theirs = TextClassifier(model)(TEXTS), mediapipe(model, TEXTS)
    assert sum(not answer for answer in theirs) == 2
    for mine, found in zip(ours, theirs, strict=True):
        assert (max(found, key=found.get) if found else None) == mine["label"]
