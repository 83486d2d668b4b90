"""`--stage=export` with `--calibrate` and a threshold: every file says the same, and abstains from the same texts."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.presets.hub_server import TOKEN, pretend
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.calibration import Confidence
from tinybert_tf.evaluation.metrics import probabilities_of
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.stages import export
from tinybert_tf.tflite import TextClassifier

LENGTH, PRECISION = 12, 0.9


def rows_of(file):
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], np.array([row["label"] == "good" for row in rows], int)


def logits_of(model, texts):
    return predict_logits(model, TokenizedExamples(Examples(texts), model.tokenizer, LENGTH))


@pytest.fixture(scope="module")
def student(reviews, make_classifier, tmp_path_factory):
    """A folder of a model that is too sure of itself: its head is fitted to random features."""
    model = make_classifier(labels=["good", "bad"], num_layers=1)  # the other way round than the task
    texts, labels = rows_of(reviews / "train.csv")
    pooled = model.encoder(model.tokenizer(texts, sequence_length=LENGTH))["pooled_output"].numpy()
    features = np.hstack([pooled, np.ones((len(texts), 1))])
    head = np.linalg.lstsq(features, 2.0 * np.stack([labels, 1 - labels], 1) - 1, rcond=0.05)[
        0
    ]  # small weights, so that rounding stays small
    model.classifier.kernel.assign(8 * head[:-1])
    model.classifier.bias.assign(8 * head[-1])
    folder = tmp_path_factory.mktemp("student") / "model"
    model.save_to_preset(folder)
    return folder


@pytest.fixture
def config(student, files, tmp_path):
    given = files | {"sequence_length": LENGTH, "model": str(student), "output_dir": str(tmp_path / "export")}
    return lambda **options: ExportConfig(**given | options)


def test_every_file_is_calibrated_and_abstains_from_the_same_texts(config, student, reviews):
    formats = {"export_formats": ("litert", "saved_model", "onnx"), "variants": ("float32", "int8")}
    run = export.run(config(calibrate=True, target_precision=PRECISION, **formats))
    info = json.loads((run.path / "model_info.json").read_text())
    temperature, threshold = info["temperature"], info["abstain_below"]
    model, (texts, labels) = BertClassifier.from_preset(student), rows_of(reviews / "test.csv")  # as it was
    logits = logits_of(model, texts)
    wanted = probabilities_of(logits / temperature)
    sure = wanted.max(1) >= threshold
    assert temperature > 1.2 and 0.5 < threshold < 1 and 5 < sure.sum() < 60

    classifier = TextClassifier(run.path / "student.tflite")
    np.testing.assert_allclose(classifier.predict(texts), wanted, atol=1e-5)
    expected = [model.labels[row.argmax()] if above else None for row, above in zip(wanted, sure)]
    assert [answer["label"] for answer in classifier(texts)] == expected
    served = tf.saved_model.load(str(run.path / "saved_model" / "1")).signatures["serving_default"]
    found = served(text=tf.constant(texts))
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-5)
    assert [label.decode() or None for label in found["label"].numpy()] == expected

    results = run.record["results"]
    assert results["calibration"] == {
        "temperature": temperature,
        "abstain_below": threshold,
        "dev_texts": 20,
        "cuts": (),
    }
    labels = 1 - labels  # the model's class 0 is good
    before, after = (Confidence.of(logits, labels, value) for value in (1.0, temperature))
    keras = results["keras"]
    assert keras["uncalibrated_error"] == pytest.approx(before.calibration_error(), abs=1e-5)
    parity = json.loads((run.path / "parity.json").read_text())["files"]
    for values in (keras, parity["student.tflite"], parity["onnx/model.onnx"]):
        assert values["calibration_error"] == pytest.approx(after.calibration_error(), abs=1e-5)
        assert values["coverage"] == sure.mean()
        assert values["answered_accuracy"] == after.at(threshold)["accuracy"]
    assert {"calibration_error", "coverage", "answered_accuracy"} <= parity["student_int8.tflite"].keys()

    said = export.summary(run)
    assert f"Temperature {temperature:.2f}, fitted on 20 texts of dev: expected calibration error " in said
    assert f"Below a probability of {threshold:g} a file abstains: Keras answers {100 * sure.mean():.1f} % of" in said
    assert "cal. error     answers       right same answer" in said.splitlines()[0]
    page = (run.path / "measured.md").read_text()
    assert "Below a probability" in page and "| cal. error | answers | right |" in page


def test_a_threshold_alone_leaves_probabilities_as_they_are(config, student, reviews):
    run = export.run(config(abstain_below=0.9, variants=("float32",)))
    info = json.loads((run.path / "model_info.json").read_text())
    assert info["abstain_below"] == 0.9 and "temperature" not in info
    texts, _ = rows_of(reviews / "test.csv")
    answers = probabilities_of(logits_of(BertClassifier.from_preset(student), texts))
    found = TextClassifier(run.path / "student.tflite")
    np.testing.assert_allclose(found.predict(texts), answers, atol=1e-5)
    assert "Temperature" not in export.summary(run)


def test_without_them_nothing_is_said(config):
    run = export.run(config(variants=("float32",)))
    info = json.loads((run.path / "model_info.json").read_text())
    assert not {"temperature", "abstain_below"} & info.keys() and "calibration" not in run.record["results"]
    assert set(run.record["results"]["keras"]) == {"size_bytes", "metrics", "intervals"}
    assert "cal. error" not in export.summary(run) and "abstain" not in (run.path / "measured.md").read_text()
    with pytest.raises(InputError, match=r"output_dir: got .*calibrate=False"):
        export.run(config(variants=("float32",), calibrate=True))


def test_the_hub_gets_the_calibrated_model_each_time(config, student, reviews, tmp_path, monkeypatch):
    options = {"calibrate": True, "variants": ("float32",), "push_to_hub": "user/student"}
    texts, _ = rows_of(reviews / "test.csv")
    for number in range(2):  # the second time the run is finished
        there = tmp_path / f"there{number}"
        with pretend({"user/student": there}, tmp_path / "cache", monkeypatch, TOKEN):
            run = export.run(config(**options))
            wanted = logits_of(BertClassifier.from_preset(student), texts)
        assert run.was_finished == bool(number)
        wanted /= run.record["results"]["calibration"]["temperature"]
        np.testing.assert_allclose(logits_of(BertClassifier.from_preset(there), texts), wanted, atol=1e-5)
        assert "expected calibration error" in (there / "README.md").read_text()


def test_refusals_write_nothing(config, student, reviews, tmp_path):
    own = {"train_file": "", "test_file": ""}
    with pytest.raises(InputError, match=r"calibrate: got true, without labelled texts \(.* is no run"):
        export.run(config(calibrate=True, **own))
    with pytest.raises(InputError, match="calibrate: got true, for files without labelled texts in both dev and test"):
        export.run(config(calibrate=True, test_file=""))
    record = {"stage": "task", "status": "finished", "settings": {"train_file": "gone.csv"}, "results": {}}
    run = tmp_path / "student"
    BertClassifier.from_preset(student).save_to_preset(run / "model")
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"calibrate: got true, without labelled texts \(train_file: got gone"):
        export.run(config(calibrate=True, model=str(run), **own))
    several = BertClassifier.from_preset(student)
    several.multi_label = True
    several.save_to_preset(tmp_path / "several")
    with pytest.raises(InputError, match=r"abstain_below: got 0\.9, for a multi label classification model"):
        export.run(config(abstain_below=0.9, model=str(tmp_path / "several"), **own))
    assert not (tmp_path / "export").exists()
