"""A teacher that is a file of answers: alone, and beside a model whose layers are matched."""

import contextlib
import csv
import dataclasses
import io
import json
import types

import numpy as np
import pytest

from tests.stages.conftest import QUICK
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as whole_recipe
from tinybert_tf.stages import predict, task


@pytest.fixture(scope="module")
def answered(runs, reviews, tmp_path_factory):
    """Texts without labels, some with labels as dev, and what `--stage=predict` writes for the former."""
    folder = tmp_path_factory.mktemp("answered")
    with (reviews / "train.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    (folder / "texts.csv").write_text("\n".join(["text", *(row["text"] for row in rows[:120])]))
    (folder / "human.csv").write_text("\n".join(["text,label", *(f"{r['text']},{r['label']}" for r in rows[120:])]))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path), input_file=str(folder / "texts.csv")))
    (folder / "llm.jsonl").write_text(out.getvalue(), encoding="utf-8")
    return folder


@pytest.fixture
def settings(answered):
    files = {"train_file": str(answered / "texts.csv"), "dev_file": str(answered / "human.csv")}
    return QUICK | files | {"teacher_predictions": (str(answered / "llm.jsonl"),), "sequence_length": 16}


@pytest.fixture
def batches_seen(monkeypatch):
    """The batches that training takes, as they come."""
    seen, batches = [], task.Buckets.batches

    def watched(self, *args):
        for batch, position in batches(self, *args):
            seen.append(batch)
            yield batch, position

    monkeypatch.setattr(task.Buckets, "batches", watched)
    return seen


def test_predictions_go_straight_in_without_a_teacher(
    runs, plain_teacher, answered, settings, batches_seen, tmp_path, eagerly, caplog
):
    settings |= {
        "student": str(plain_teacher),
        "phase": "prediction",
        "prediction_max_steps": 3,
        "prediction_learning_rate": 1e-2,
    }
    config = configs.TaskConfig(output_dir=str(tmp_path / "run"), **settings)
    with caplog.at_level("INFO", "absl"):
        folder = task.run(config)
    assert "answers to 120 texts. Left out: 0 rows of dev or test texts, 0 of texts" in caplog.text
    assert [path.name for path in folder.path.iterdir() if path.is_dir()].count("intermediate") == 0
    model = BertClassifier.from_preset(str(runs["finetune"].path))
    for batch in batches_seen:
        answers = metrics.probabilities_of(batch.pop("teacher_logits"))
        np.testing.assert_allclose(answers, metrics.probabilities_of(model(batch).numpy()), atol=2e-5)
    lines = [json.loads(line) for line in (folder.path / "prediction" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["prediction_loss"] for line in lines if "prediction_loss" in line]
    assert losses and all("attention_loss" not in line for line in lines)
    assert BertClassifier.from_preset(str(folder.path)).labels == ["bad", "good"]
    assert "distilled from" in (folder.model / "README.md").read_text() and "teacher" not in task.summary(folder)
    # Another answer is another run.
    moved = tmp_path / "moved.jsonl"
    moved.write_text((answered / "llm.jsonl").read_text())
    again = configs.TaskConfig(**settings | {"output_dir": str(folder.path), "teacher_predictions": (str(moved),)})
    assert task.run(again).was_finished
    moved.write_text("\n".join((answered / "llm.jsonl").read_text().splitlines()[:-1]))
    with pytest.raises(InputError, match=r"got content that has changed since .*run began"):
        task.run(again)
    with pytest.raises(InputError, match=r"^teacher: got content that has changed since .*run began \(teacher='', now"):
        task.run(dataclasses.replace(again, teacher=str(runs["finetune"].path), phase="prediction"))


def test_layers_come_from_a_teacher_and_answers_from_the_file(
    runs, student_shape, answered, settings, batches_seen, tmp_path, monkeypatch, eagerly, caplog
):
    """Of three texts one has an annotators' answer and no label, one a label alone, one both; another file has more."""
    monkeypatch.setattr(task, "_INIT_BATCHES", 2)
    rows = [("a good film", "bad"), ("a fine play", "good"), ("the dull story", "bad")]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *map(",".join, rows)]))
    (tmp_path / "more.txt").write_text("it is fine\nit is dull\n")
    answers = [("a good film", ["good", "good", "bad", "good"]), ("it is fine", ["good"]), ("the dull story", ["bad"])]
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in answers]
    (tmp_path / "people.jsonl").write_text("\n".join(lines))
    settings |= {"teacher": str(runs["finetune"].path), "student": student_shape, "phase": "joint", "max_steps": 1}
    settings |= {"teacher_predictions": (str(tmp_path / "people.jsonl"),), "label_weight": 0.5, "batch_size": 4}
    settings |= {"train_file": str(tmp_path / "train.csv"), "unlabeled_file": (str(tmp_path / "more.txt"),)}
    settings["teacher_labels"] = ("good", "bad")  # the order of the file's lists, not of the teacher's logits
    with caplog.at_level("INFO", "absl"):
        folder = task.run(configs.TaskConfig(output_dir=str(tmp_path / "run"), **settings))
    assert "3 texts have a teacher's answer, 1 more a label alone; 1 are left out, which have neither." in caplog.text
    found = metrics.probabilities_of(batches_seen[-1]["teacher_logits"])
    np.testing.assert_allclose(sorted(found[:, 1]), [0, 0.375, 1, 1], atol=1e-6)
    logged = (folder.path / "joint" / "metrics.jsonl").read_text()
    assert all(f'"{name}_loss"' in logged for name in ("attention", "hidden", "embedding", "prediction"))


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"phase": "joint"}, "phase: got joint; expected prediction, or a --teacher that has layers"),
        ({"phase": "intermediate", "teacher": "x"}, "phase: got intermediate; expected a phase that matches"),
        ({"teacher_predictions": (), "label_weight": 0.5}, "label_weight: got 0.5; expected 0, or --teacher_pred"),
        ({"dev_file": ""}, "dev_file: got nothing; expected labelled texts, because .*texts.csv has no labels"),
        ({"task": "squad", "train_file": "", "dev_file": "", "sequence_length": 0}, "teacher_predictions: got .*none:"),
        ({"student": "no/such/model"}, "student: got 'no/such/model'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(settings, tmp_path, flags, message):
    with pytest.raises(InputError, match=f"^{message}"):
        task.run(configs.TaskConfig(**settings | flags | {"output_dir": str(tmp_path / "run")}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "flags, expected",
    [
        ({"student": "tinybert_4l_312"}, (10, 900, 3e-4)),  # random weights: as long as a phase that matches layers
        ({"student": "tinybert_4l_312", "max_steps": 50}, (10, 50, 3e-4)),
        ({"student": "tinybert_4l_312", "prediction_epochs": 2}, (2, 0, 3e-4)),
        ({"student": "runs/general"}, (3, 300, 1e-4)),
    ],
)
def test_a_student_without_weights_learns_longer(settings, flags, expected):
    config = configs.TaskConfig(**settings | flags)
    recipe = task.recipe_of(config, load_task(**dataclasses.asdict(config.files), train_labels_may_lack=True))
    found = recipe.prediction_epochs, recipe.prediction_max_steps, recipe.prediction_learning_rate
    assert (recipe.phase, *found) == ("prediction", *expected)


def test_without_answers_the_default_teacher_is_that_of_finetune():
    assert configs.TaskConfig().teacher == "runs/finetune"
    assert configs.TaskConfig(teacher_predictions=("a.jsonl",)).teacher == ""


def test_the_whole_recipe_makes_its_teacher_from_the_file(
    runs, plain_teacher, student_shape, settings, tmp_path, monkeypatch, answered
):
    steps, model = {}, {"teacher": str(plain_teacher), "student": student_shape}
    settings["teacher_labels"] = ("good", "bad")
    settings = {name: value for name, value in settings.items() if name not in ("save_steps", "eval_steps")}

    def run(self, stage, kind, name, **options):
        steps[name] = kind(output_dir=str(tmp_path / name), **options)
        return types.SimpleNamespace(path=tmp_path / name, record={"results": {}})

    monkeypatch.setattr(whole_recipe._Recipe, "step", run)
    whole_recipe.run(configs.AllConfig(output_dir=str(tmp_path / "all"), max_steps=7, **model, **settings))
    assert list(steps) == ["teacher", "student", "evaluation"]
    teacher, student, evaluation = steps.values()
    assert (teacher.teacher, teacher.student, teacher.prediction_max_steps) == ("", str(plain_teacher), 7)
    assert (student.teacher, student.student) == (str(tmp_path / "teacher"), student_shape)
    assert teacher.teacher_predictions == student.teacher_predictions == (str(answered / "llm.jsonl"),)
    assert (evaluation.train_file, evaluation.dev_file) == ("", str(answered / "human.csv"))
    assert student.teacher_labels == ("good", "bad") and evaluation.teacher_labels == ()
    tuned = {"teacher": str(runs["finetune"].path), "student": student_shape}  # has the classes in an order of its own
    whole_recipe.run(configs.AllConfig(output_dir=str(tmp_path / "tuned"), **tuned, **settings))
    assert steps["student"].teacher_labels == ("good", "bad") and steps["evaluation"].teacher_labels == ()
    for flags, argument in (
        ({"augment": True}, "augment"),
        ({"class_weights": ("balanced",)}, "class_weights"),
        ({"teacher_predictions": (str(answered / "none.jsonl"),)}, "teacher_predictions"),
    ):
        with pytest.raises(InputError) as error:
            whole_recipe.run(configs.AllConfig(output_dir=str(tmp_path / "new"), **model, **settings | flags))
        assert error.value.argument == argument and not (tmp_path / "new").exists()
