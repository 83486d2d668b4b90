"""Evaluation of a student beside its teacher."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import by_class
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import common, evaluate


def test_the_evaluation_agrees_with_its_files(whole_report, runs):
    folder, results = runs["evaluate"].path, runs["evaluate"].record["results"]["splits"]["test"]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    right = np.mean([row["prediction"] == row["label"] for row in rows])
    assert results["metrics"]["accuracy"] == pytest.approx(right)
    assert results["agreement"] == pytest.approx(np.mean([row["prediction"] == row["teacher"] for row in rows]))
    low, high = results["intervals"]["accuracy"]
    assert low <= right <= high
    table = [line.split(",") for line in (folder / "confusion.csv").read_text().splitlines()]
    assert sum(int(row[i + 1]) for i, row in enumerate(table[1:])) == right * 60
    assert "95 % interval" in evaluate.summary(runs["evaluate"])
    assert set(results["baselines"]) == {"tfidf", "majority"}
    assert "than TF-IDF with a linear model" in evaluate.summary(runs["evaluate"])
    assert 0.05 <= results["calibration"]["temperature"] <= 20
    assert 0 <= results["calibration"]["error_at_temperature"] <= 1
    report = (folder / "report.html").read_text()
    for expected in ("student, int8", "TF-IDF", "accuracy on dev", "against ms per text", "As an int8 file it has"):
        assert expected in report
    assert "--stage=evaluate --t" in report and "[&#39;" not in report  # the command, without Python's lists


def test_of_many_classes_the_worst_confusions_are_shown_and_the_matrix_is_in_its_file():
    labels = [f"intent_{i:03d}" for i in range(150)]
    table = np.diag(np.full(150, 5))
    table[3, 7], table[9, 2] = 4, 6
    lines = by_class.confusion_lines(labels, table)
    assert lines[1:] == ["     6 x intent_009 taken for intent_002", "     4 x intent_003 taken for intent_007"]
    assert max(map(len, lines)) < 100
    assert by_class.confusion_lines(labels, np.diag(np.full(150, 5))) == []
    assert len(by_class.confusion_lines(labels[:20], table[:20, :20])) == 21


def test_a_model_changed_since_its_evaluation_is_refused(runs, files, tmp_path, eagerly):
    model = tmp_path / "model"
    shutil.copytree(runs["finetune"].path / "model", model)
    config = configs.EvaluateConfig(output_dir=str(tmp_path / "evaluate"), model=str(model), **files)
    assert not evaluate.run(config).was_finished and evaluate.run(config).was_finished
    said = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(said | {"model_max_length": 5}))
    with pytest.raises(InputError, match=r"^model's settings: got content that has changed since"):
        evaluate.run(config)
    shutil.rmtree(model)
    shutil.copytree(runs["task"].path / "model", model)
    with pytest.raises(InputError, match=r"^model: got content that has changed since"):
        evaluate.run(config)


def test_evaluation_matches_labels_by_name_not_by_number(runs, files, tmp_path, monkeypatch, eagerly):
    """The same model with its two logits exchanged has the same accuracy, and F1 of the same class."""
    model = BertClassifier.from_preset(str(runs["finetune"].path))
    turned = BertClassifier(model.encoder, model.labels[::-1])
    for ours, theirs in zip(turned.classifier.weights, model.classifier.weights):
        ours.assign(theirs.numpy()[..., ::-1])
    turned.classifier.bias.assign_add([0.0, 1.0])  # more mistakes of one kind than of the other
    model.classifier.bias.assign_add([1.0, 0.0])
    load = evaluate.task_of
    monkeypatch.setattr(evaluate, "task_of", lambda *args: dataclasses.replace(load(*args), metrics=("accuracy", "f1")))
    found = []
    for name, classifier in (("model", model), ("turned", turned)):
        classifier.save_to_preset(tmp_path / name)
        config = configs.EvaluateConfig(output_dir=str(tmp_path / f"run-{name}"), model=str(tmp_path / name), **files)
        found.append(evaluate.run(config).record["results"]["splits"]["test"]["metrics"])
    assert found[0] == found[1]


def test_a_test_file_alone_is_read_by_the_models_labels(runs, tmp_path, eagerly):
    """The file holds one of two classes, and would not say by itself which one."""
    (tmp_path / "test.csv").write_text("text,label\na good film,good\nthe fine story,good\n")
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"), model=str(runs["finetune"].path), test_file=str(tmp_path / "test.csv")
    )
    assert evaluate.run(config).record["results"]["splits"]["test"]["metrics"]["accuracy"] == 1.0


def test_texts_without_labels_are_predicted(runs, tmp_path, eagerly):
    (tmp_path / "test.jsonl").write_text('{"text": "a good film"}\n{"text": "the dull story"}\n')
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"), model=str(runs["finetune"].path), test_file=str(tmp_path / "test.jsonl")
    )
    folder = evaluate.run(config)
    assert "no labels" in evaluate.summary(folder)
    rows = [json.loads(line) for line in (folder.path / "predictions.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in rows] == ["good", "bad"]


def test_a_model_without_names_is_read_in_the_tasks_order_or_as_told(runs, files, tmp_path, monkeypatch, eagerly):
    said = []
    monkeypatch.setattr(common.logging, "info", lambda line, *values: said.append(line % values))
    model = BertClassifier.from_preset(str(runs["finetune"].path))
    model.labels = ["LABEL_0", "LABEL_1"]
    model.save_to_preset(tmp_path / "model")
    found = []
    for name, labels in (("own", ()), ("right", ("bad", "good")), ("wrong", ("good", "bad"))):
        settings = {"output_dir": str(tmp_path / name), "model": str(tmp_path / "model"), "teacher_labels": labels}
        folder = evaluate.run(configs.EvaluateConfig(**settings, **files))
        found.append(folder.record["results"]["splits"]["test"]["metrics"]["accuracy"])
    assert found[0] == found[1] == pytest.approx(1 - found[2]) and found[0] > 0.9
    (tmp_path / "test.csv").write_text("text,label\na good film,good\na fine film,good\n")
    settings |= {"output_dir": str(tmp_path / "alone"), "teacher_labels": ("bad", "good")}
    folder = evaluate.run(configs.EvaluateConfig(**settings, test_file=str(tmp_path / "test.csv")))
    assert folder.record["results"]["splits"]["test"]["metrics"]["accuracy"] == 1.0
    assert said == ["--model: its classes have no names; LABEL_0 to LABEL_1 stand for bad, good, in the task's order."]
