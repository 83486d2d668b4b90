"""A task distillation that is killed in its second phase resumes and ends with the same weights."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import PIECES


@pytest.fixture
def models(tmp_path):
    import keras

    from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer

    keras.utils.set_random_seed(0)
    tokenizer = BertTokenizer(PIECES, sequence_length=64)
    teacher = BertEncoder(len(PIECES), 3, 12, 24, 48, max_sequence_length=64, tokenizer=tokenizer)
    BertClassifier(teacher, ["bad", "good"]).save_to_preset(tmp_path / "teacher")
    student = BertEncoder(len(PIECES), 2, 12, 12, 24, max_sequence_length=64, tokenizer=tokenizer)
    student.save_to_preset(tmp_path / "student")
    return tmp_path


def command(models, reviews, output):
    return [
        *(sys.executable, "-m", "tinybert_tf.main", "--stage=task", f"--output_dir={output}"),
        *(f"--teacher={models}/teacher", f"--student={models}/student", f"--train_file={reviews}/train.csv"),
        *("--max_steps=6", "--prediction_max_steps=30", "--batch_size=16", "--sequence_length=16", "--dropout=0.1"),
        *("--phase=two", "--save_steps=2", "--log_steps=1", "--eval_steps=3"),
    ]


def test_a_killed_run_goes_on_to_the_same_weights(models, reviews, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(models, reviews, whole), check=True, capture_output=True, timeout=300)
    process = subprocess.Popen(
        command(models, reviews, cut), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if list((cut / "prediction" / "checkpoints").glob("*.safetensors")):
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (cut / "model").exists()
    subprocess.run(command(models, reviews, cut), check=True, capture_output=True, timeout=300)
    for part in ("intermediate/model", "prediction/model", "model"):
        ours, theirs = (load_file(folder / part / "model.safetensors") for folder in (cut, whole))
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
