"""A task distillation that is killed in its second phase resumes and ends with the same weights."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import PIECES
from tests.stages import command_line


@pytest.fixture
def models(tmp_path):
    import keras

    from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer

    keras.utils.set_random_seed(0)
    tokenizer = BertTokenizer(PIECES, sequence_length=64)
    teacher = BertEncoder(len(PIECES), 1, 12, 24, 48, max_sequence_length=64, tokenizer=tokenizer)
    BertClassifier(teacher, ["bad", "good"]).save_to_preset(tmp_path / "teacher")
    student = BertEncoder(len(PIECES), 1, 12, 12, 24, max_sequence_length=64, tokenizer=tokenizer)
    student.save_to_preset(tmp_path / "student")
    return tmp_path


def command(models, reviews, output):
    return [
        *("--stage=task", f"--output_dir={output}"),
        *(f"--teacher={models}/teacher", f"--student={models}/student", f"--train_file={reviews}/train.csv"),
        *("--max_steps=6", "--prediction_max_steps=30", "--batch_size=16", "--sequence_length=16", "--dropout=0.1"),
        *("--phase=two", "--mixup=0.5", "--save_steps=2", "--log_steps=1", "--eval_steps=3"),
    ]


def test_a_killed_run_goes_on_to_the_same_weights(models, reviews, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert command_line.run(command(models, reviews, whole)).returncode == 0
    checkpoints = cut / "prediction" / "checkpoints"
    command_line.kill_when(command(models, reviews, cut), lambda: list(checkpoints.glob("*.safetensors")))
    assert not (cut / "model").exists()
    assert command_line.run(command(models, reviews, cut)).returncode == 0
    for part in ("intermediate/model", "prediction/model", "model"):
        ours, theirs = (load_file(folder / part / "model.safetensors") for folder in (cut, whole))
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
