"""Any number of labels per text, from the file to the predictions, through teacher and student."""

import contextlib
import io
import json

import keras
import numpy as np
import pytest

from tests.conftest import PIECES
from tests.stages.conftest import QUICK
from tinybert_tf.data.splits import held_out
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import evaluate, export, finetune, predict, task
from tinybert_tf.tflite import TextClassifier

TAGS = {"praise": "good", "complaint": "bad", "boredom": "dull"}
SETTINGS = QUICK | {"sequence_length": 16, "batch_size": 32, "dropout": 0.0, "learning_rate": 6e-3, "eval_steps": 65}


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    """A table with several tags in a field: each is one of the text's words."""
    rng, rows, sets = np.random.default_rng(0), [], []
    for _ in range(300):
        tags = [tag for tag in TAGS if rng.random() < 0.4]
        words = [*(TAGS[tag] for tag in tags), *["film"] * (3 - len(tags))]
        rows.append(f"{' '.join(rng.permutation(words))},{'|'.join(tags)}")
        sets.append([tag in tags for tag in sorted(TAGS)])
    dev, files = held_out(np.array(sets), 0.1, seed=0), {}
    for name, places in (("train", np.setdiff1d(np.arange(300), dev)), ("dev", dev)):
        file = tmp_path_factory.mktemp("tagged") / f"{name}.csv"
        file.write_text("\n".join(["text,tags", *(rows[place] for place in places)]))
        files[f"{name}_file"] = str(file)
    return files | {"label_column": "tags", "label_separator": "|"}


@pytest.fixture(scope="module")
def teacher(tagged, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(len(PIECES), 1, 12, 48, 48, max_sequence_length=16, tokenizer=tokenizer)
    encoder.save_to_preset(folder / "plain")
    given = {"output_dir": str(folder / "run"), "model": str(folder / "plain"), "epochs": 0, "max_steps": 130}
    return finetune.run(configs.FinetuneConfig(**given, **tagged, **SETTINGS))


def test_the_teacher_finds_every_label(teacher):
    dev = teacher.record["results"]["dev"]
    assert dev["micro_f1"] > 0.9 and dev["score"] == dev["micro_f1"]
    model = BertClassifier.from_preset(str(teacher.path))
    assert model.multi_label and model.labels == sorted(TAGS)


def test_a_student_learns_them_from_its_teacher(teacher, tagged, student_shape, tmp_path):
    given = {"output_dir": str(tmp_path / "task"), "teacher": str(teacher.path), "student": student_shape}
    settings = QUICK | {"batch_size": 64, "sequence_length": 16, "max_steps": 80, "learning_rate": 1e-2}
    folder = task.run(configs.TaskConfig(**given, **tagged, **settings, metric="macro_f1"))
    assert folder.record["results"]["dev"]["macro_f1"] > 0.85
    assert BertClassifier.from_preset(str(folder.path)).multi_label


def test_evaluation_counts_label_by_label(teacher, tagged, tmp_path, eagerly):
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"),
        model=str(teacher.path),
        teacher=str(teacher.path),
        split="dev",
        threshold=0.6,
        sequence_length=16,
        **tagged,
    )
    folder = evaluate.run(config)
    rows = [json.loads(line) for line in (folder.path / "predictions.jsonl").read_text().splitlines()]
    found = {(row["id"], label) for row in rows for label in row["prediction"]}
    true = {(row["id"], label) for row in rows for label in row["label"]}
    values = folder.record["results"]["splits"]["dev"]
    assert values["metrics"]["micro_f1"] == pytest.approx(2 * len(found & true) / (len(found) + len(true)))
    assert values["agreement"] == 1 and values["intervals"]["micro_f1"][0] <= values["metrics"]["micro_f1"]
    logits = {row["id"]: row["logits"] for row in rows}
    labels = BertClassifier.from_preset(str(teacher.path)).labels
    cut = np.log(0.6 / 0.4)
    assert found == {(key, label) for key in logits for label, value in zip(labels, logits[key]) if value >= cut}
    lines = (folder.path / "classes.csv").read_text().splitlines()
    assert lines[0] == "label,examples,predicted,precision,recall,f1" and len(lines) == 4
    assert not (folder.path / "confusion.csv").exists() and "micro_f1" in evaluate.summary(folder)


def test_predictions_list_all_labels_above_the_threshold(teacher, tmp_path, eagerly):
    (tmp_path / "texts.txt").write_text("good film bad\nfilm film film\n")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(teacher.path), input_file=str(tmp_path / "texts.txt")))
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert rows[0]["labels"] == ["complaint", "praise"] and rows[1]["labels"] == []
    assert set(rows[1]["probabilities"]) == set(TAGS)
    with pytest.raises(InputError, match=r"abstain_below: got 0\.3; expected none"):
        predict.run(configs.PredictConfig(model=str(teacher.path), text="x", abstain_below=0.3))


def test_a_model_of_one_label_per_text_is_refused(plain_classifier, tagged, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"text": "x", "label": ["good", "bad"]}\n{"text": "x", "label": []}\n')
    given = {"output_dir": str(tmp_path / "run"), "model": str(plain_classifier)}
    with pytest.raises(
        InputError, match=r"test_file: got .*row 1, with the label \['good', 'bad'\]; expected one class"
    ):
        evaluate.run(configs.EvaluateConfig(**given, test_file=str(tmp_path / "test.jsonl")))
    with pytest.raises(InputError, match=r"threshold: got 0\.3; expected none: the model gives each text one answer"):
        predict.run(configs.PredictConfig(model=str(plain_classifier), text="x", threshold=0.3))
    (tmp_path / "train.jsonl").write_text('{"text": "x", "label": ["good", "bad"]}\n' * 20)
    with pytest.raises(InputError, match=r"^model: got a single_label_classification; expected a model for texts"):
        evaluate.run(configs.EvaluateConfig(**given, train_file=str(tmp_path / "train.jsonl"), split="dev"))


def test_every_file_gives_a_class_at_its_own_threshold(teacher, tagged, tmp_path):
    model = BertClassifier.from_preset(str(teacher.path))
    model.classifier.bias.assign_sub([9.0, 0.0, 6.0])  # two classes that are hardly ever given at one half
    model.save_to_preset(tmp_path / "timid")
    (tmp_path / "test.csv").write_text("text,tags\ngood film bad,praise|complaint\ndull film film,boredom\n")
    config = configs.ExportConfig(
        output_dir=str(tmp_path / "export"),
        model=str(tmp_path / "timid"),
        test_file=str(tmp_path / "test.csv"),
        sequence_length=16,
        fit_thresholds=True,
        variants=("float32", "int8"),
        export_formats=("litert", "onnx"),
        **tagged,
    )
    folder = export.run(config)
    results = folder.record["results"]
    assert results["keras"]["metrics_at_half"]["micro_f1"] < 0.7 < results["keras"]["metrics"]["micro_f1"] == 1
    assert all(values["metrics"]["micro_f1"] == 1 for values in results["files"].values())
    classifier = TextClassifier(folder.path / "student.tflite")
    thresholds = classifier.info["fitted_thresholds"]
    assert thresholds[1] == 0.5 and max(thresholds[0], thresholds[2]) < 0.3
    assert [answer["labels"] for answer in classifier(["good film bad", "dull film film"])] == [
        ["complaint", "praise"],
        ["boredom"],
    ]
    assert "Thresholds of 2 of 3 classes, fitted on 30 texts of dev; micro_f1 " in export.summary(folder)
