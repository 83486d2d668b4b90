"""Task distillation, in two phases, jointly and compressed."""

import dataclasses
import json

import numpy as np
import pytest

from tests.stages.conftest import QUICK, files_only
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import task
from tinybert_tf.training.compression import sparsity_of


def test_the_student_learns_the_task_in_two_phases(runs):
    assert runs["task"].record["results"]["dev"]["accuracy"] > 0.85
    base = runs["task"].path
    losses = [json.loads(line) for line in (base / "intermediate" / "metrics.jsonl").read_text().splitlines()]
    held_out = [line["held_out/loss"] for line in losses if "held_out/loss" in line]
    assert held_out[-1] < 0.7 * held_out[0]
    assert (base / "prediction" / "model").is_dir()
    assert BertClassifier.from_preset(str(base)).labels == ["bad", "good"]
    assert "distilled from" in (base / "model" / "README.md").read_text()


def test_joint_distillation_matches_everything_at_once(runs, files, student_shape, tmp_path, eagerly):
    config = configs.TaskConfig(
        output_dir=str(tmp_path / "joint"),
        teacher=str(runs["finetune"].path),
        student=student_shape,
        phase="joint",
        max_steps=2,
        **files,
        **QUICK | {"batch_size": 64},
    )
    folder = task.run(config)
    lines = (folder.path / "joint" / "metrics.jsonl").read_text().splitlines()
    line = next(line for line in map(json.loads, lines) if "loss" in line)
    assert {"attention_loss", "hidden_loss", "embedding_loss", "prediction_loss"} <= set(line)


def test_a_teacher_whose_layers_are_kept_is_in_no_step(runs, files, student_shape, tmp_path, monkeypatch):
    settings = {"teacher": str(runs["finetune"].path), "student": student_shape, "phase": "joint", "max_steps": 3}
    settings |= files | QUICK | {"batch_size": 64, "log_steps": 3, "student_init": "svd"}
    features, calls, losses = task.TinyBertDistiller.teachers_features, [], []
    monkeypatch.setattr(task.TinyBertDistiller, "teachers_features", lambda *args: calls.append(0) or features(*args))
    for cache in ("", str(tmp_path / "layers")):
        calls.clear()
        config = configs.TaskConfig(output_dir=str(tmp_path / f"run{bool(cache)}"), layer_cache=cache, **settings)
        folder = task.run(config)
        lines = (folder.path / "joint" / "metrics.jsonl").read_text().splitlines()
        losses.append(next(line for line in map(json.loads, lines) if "loss" in line))
        assert len(calls) == 1  # traced once: in the steps, or for the cache
    for name in ("embedding_loss", "hidden_loss", "attention_loss", "prediction_loss"):
        assert losses[1][name] == pytest.approx(losses[0][name], rel=1e-3), name
    (file,) = (tmp_path / "layers").iterdir()
    assert file.suffix == ".f16"


def test_layers_are_kept_only_where_they_are_matched():
    nothing = {"embedding_weight": 0.0, "hidden_weight": (0.0,), "attention_weight": (0.0, 0.0)}
    for options in ({"phase": "prediction"}, nothing):
        with pytest.raises(InputError, match="layer_cache: got x; expected none where no layers are matched"):
            configs.TaskConfig(layer_cache="x", **options)


def test_texts_without_labels_join_the_examples(runs, files, student_shape, tmp_path, monkeypatch, eagerly, caplog):
    own = load_task(**files_only(files))
    known, evaluated = own.split("train").texts[0], own.split("dev").texts[0]
    texts = tmp_path / "texts.txt"
    texts.write_text(f"a film and a play\n{known.upper()}!\n{evaluated}\nA film, and a play.\n\nstory of a film\n")
    settings = {"teacher": str(runs["finetune"].path), "student": student_shape, "phase": "joint", "max_steps": 2}
    settings |= files | QUICK | {"batch_size": 64, "unlabeled_file": (str(texts),)}
    counts = []  # of the texts that are cut into batches
    batches = task.Buckets.batches
    monkeypatch.setattr(
        task.Buckets, "batches", lambda self, *args: counts.append(len(self.tokens)) or batches(self, *args)
    )
    with caplog.at_level("INFO", "absl"):
        task.run(configs.TaskConfig(output_dir=str(tmp_path / "run"), **settings))
    (line,) = [line for line in caplog.messages if "without labels" in line]
    assert line.startswith("2 texts without labels; left out: 1 that the student is evaluated on, 3 that were there")
    assert set(counts) == {len(own.split("train")) + 2}
    for file, expected in (("none.txt", "none.txt"), ("known.txt", "without a text that")):
        (tmp_path / "known.txt").write_text(known)
        options = settings | {"unlabeled_file": (str(tmp_path / file),), "output_dir": str(tmp_path / "other")}
        with pytest.raises(InputError, match=f"^unlabeled_file: got .*{expected}"):
            task.run(configs.TaskConfig(**options))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "settings, phase",
    [
        ({}, "joint"),
        ({"student": "tinybert_4l_312"}, "joint"),
        ({"student": "tinybert_4l_312", "student_init": "svd"}, "two"),
        ({"phase": "two"}, "two"),
        ({"task": "sst2"}, "two"),
    ],
)
def test_a_student_whose_layers_fit_is_distilled_jointly_where_time_is_short(settings, phase, files):
    data = {} if "task" in settings else files_only(files)
    own = load_task(**files_only(files))
    own = dataclasses.replace(own, name=settings.get("task", own.name))
    assert task.recipe_of(configs.TaskConfig(**data, **settings), own).phase == phase


def test_a_student_learns_with_weights_quantized_and_pruned_as_in_its_file(runs, files, tmp_path):
    """Quantized and pruned; starts from a finished student and keeps its head."""
    config = configs.TaskConfig(
        output_dir=str(tmp_path / "small"),
        teacher=str(runs["finetune"].path),
        student=str(runs["task"].path),
        phase="prediction",
        head_init="own",
        quantize="int8",
        sparsity=0.5,
        prediction_max_steps=14,
        **files,
        **QUICK,
    )
    folder = task.run(config)
    student = BertClassifier.from_preset(folder.path)
    assert sparsity_of(student) == pytest.approx(0.5, abs=0.05)
    kernel = np.asarray(student.encoder.blocks[0].intermediate_dense.kernel)
    steps = 127 * kernel / np.abs(kernel).max(0)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)


def test_a_teacher_of_other_labels_is_refused(runs, reviews, tmp_path):
    changed = tmp_path / "other.csv"
    changed.write_text((reviews / "train.csv").read_text().replace(",good", ",splendid"))
    teacher = str(runs["finetune"].path)
    config = configs.TaskConfig(
        output_dir=str(tmp_path / "run"), teacher=teacher, train_file=str(changed), deterministic=False
    )
    with pytest.raises(InputError, match="teacher: got 2 labels, bad, good; expected the 2 of files: bad, splendid"):
        task.run(config)
    assert not (tmp_path / "run").exists()
