"""Fine-tuning a teacher."""

import dataclasses

import pytest

from tests.stages.conftest import files_only
from tinybert_tf.data.tasks import load_task
from tinybert_tf.evaluation.dev import dev_evaluator
from tinybert_tf.models import BertClassifier
from tinybert_tf.stages import finetune


def test_the_teacher_learns_and_knows_its_labels(runs):
    assert runs["finetune"].record["results"]["dev"]["accuracy"] > 0.9
    teacher = BertClassifier.from_preset(str(runs["finetune"].path))
    assert teacher.labels == ["bad", "good"] and teacher.tokenizer.sequence_length == 16
    card = (runs["finetune"].model / "README.md").read_text()
    assert "bad, good" in card and "accuracy" in card
    assert "Dev      accuracy" in finetune.summary(runs["finetune"])


def test_checkpoints_are_chosen_by_the_mean_of_the_metrics(runs, files, eagerly):
    task = dataclasses.replace(load_task(**files_only(files)), metrics=("accuracy", "f1"))
    found = dev_evaluator(BertClassifier.from_preset(str(runs["finetune"].path)), task, 16)()
    assert found["score"] == pytest.approx((found["accuracy"] + found["f1"]) / 2)
