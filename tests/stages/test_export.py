"""`--stage=export`: files that belong together, are measured, and are written whole or not at all."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tinybert_tf.configs import NUMBER_FORMATS, QUANTIZED_FORMATS
from tinybert_tf.errors import InputError
from tinybert_tf.exporters import litert, onnx
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig, TaskConfig
from tinybert_tf.settings.stages.export import EXPORT_FORMATS
from tinybert_tf.stages import export
from tinybert_tf.tflite import TextClassifier

pytestmark = pytest.mark.usefixtures("conversions")


def config(student, tmp_path, **options):
    return ExportConfig(model=str(student), output_dir=str(tmp_path / "export"), **options)


def test_every_format_beside_the_keras_model(student, tmp_path):
    wanted = {"variants": ("int8", "float32"), "export_formats": ("litert", "saved_model", "onnx")}
    run = export.run(config(student, tmp_path, **wanted))
    files = json.loads((run.path / "parity.json").read_text())["files"]
    assert set(files) == {"student.tflite", "student_float32.tflite", *onnx.FILES.values()}
    assert all(files[name]["max_difference"] < 1e-5 for name in ("student_float32.tflite", "onnx/model.onnx"))
    keras_accuracy = run.record["results"]["keras"]["metrics"]["accuracy"]
    assert files["student_float32.tflite"]["metrics"]["accuracy"] == keras_accuracy
    assert (run.path / "saved_model" / "1" / "saved_model.pb").is_file()
    assert {"labels.txt", "vocab.txt", "model_info.json", "run.json"} <= {file.name for file in run.path.iterdir()}
    lines = export.summary(run).splitlines()
    assert lines[0].startswith("60 texts") and lines[2].startswith("student.tflite")
    table = (run.path / "measured.md").read_text().splitlines()
    assert [row.split(" | ")[0] for row in table if row.startswith("| ")] == [
        "| 60 texts",
        "| ---",
        "| Keras",
        *(f"| {name}" for name in files),
    ]
    assert f" {100 * keras_accuracy:.2f} |" in table[4] and "The texts are those of the task files." in table[-2]
    assert not (run.path / ".partial").exists()
    assert export.run(config(student, tmp_path, **wanted)).was_finished


def test_several_labels_are_compared_and_measured_as_sets(student, tmp_path, make_classifier):
    classifier = make_classifier(labels=["bad", "good"], num_layers=1)
    classifier.multi_label = True
    classifier.save_to_preset(tmp_path / "several")
    rows = [("a good film", ["good"]), ("a bad and good one", ["bad", "good"]), ("the film", [])]
    lines = [json.dumps({"text": text, "label": labels}) for text, labels in rows]
    (tmp_path / "test.jsonl").write_text("\n".join(lines))
    options = {"test_file": str(tmp_path / "test.jsonl"), "variants": ("float32",)}
    run = export.run(config(tmp_path / "several", tmp_path, export_formats=("litert", "onnx"), **options))
    info = json.loads((run.path / "model_info.json").read_text())
    assert (
        info["multi_label"] and info["output"] == "probabilities" and set(info["metrics"]) == {"micro_f1", "macro_f1"}
    )
    files = json.loads((run.path / "parity.json").read_text())["files"]
    floats = [files[name] for name in ("student.tflite", "onnx/model.onnx")]
    assert all(values["agreement"] == 1 and values["max_difference"] < 1e-5 for values in floats)
    found = np.array(
        [
            ["labels" in a and n in a["labels"] for n in ("bad", "good")]
            for a in TextClassifier(run.path / "student.tflite")([text for text, _ in rows])
        ]
    )
    true = np.array([[0, 1], [1, 1], [0, 0]])
    assert info["metrics"]["micro_f1"] == pytest.approx(2 * (found & (true > 0)).sum() / (found.sum() + true.sum()))


def test_the_model_info(student, tmp_path):
    run = export.run(config(student, tmp_path, fixed_length=True, sequence_length=12))
    info = json.loads((run.path / "model_info.json").read_text())
    model = (run.path / "student.tflite").read_bytes()
    assert info["sha256"] == hashlib.sha256(model).hexdigest() and info["size_bytes"] == len(model)
    expected = {"labels": ["bad", "good"], "sequence_length": 12, "fixed_length": True, "text_pairs": False}
    expected |= {"signature": "serving_default", "output": "probabilities", "variant": "int8", "task": "files"}
    assert {name: info[name] for name in expected} == expected
    assert info["vocabulary_size"] == len((run.path / "vocab.txt").read_text().splitlines())
    assert info["metric_texts"] == 60
    assert info["inputs"] == ["token_ids", "segment_ids", "padding_mask"] and 0 <= info["metrics"]["accuracy"] <= 1
    assert TextClassifier(run.path / "student.tflite").info["fixed_length"] is True


def test_without_a_task_words_of_the_vocabulary_are_compared(classifier_folder, tmp_path):
    run = export.run(config(classifier_folder, tmp_path, variants=("float32",)))
    results = run.record["results"]
    assert results["texts"] == 500 and results["keras"]["metrics"] == {}
    assert results["files"]["student.tflite"]["max_difference"] < 1e-5


def test_data_that_are_gone_do_not_hinder(student, tmp_path, caplog):
    record = json.loads((student / "run.json").read_text())
    record["settings"]["train_file"] = "gone.csv"
    (student / "run.json").write_text(json.dumps(record))
    assert export.run(config(student, tmp_path)).record["results"]["texts"] == 500
    record["settings"]["text_pair_column"] = "reply"
    (student / "run.json").write_text(json.dumps(record))
    run = export.run(config(student, tmp_path / "pairs", variants=("float32",)))
    assert json.loads((run.path / "model_info.json").read_text())["text_pairs"]
    assert set(TextClassifier(run.path / "student.tflite")("a film", "a play")) == {"label", "probabilities"}


def test_another_file_in_the_place_of_the_data_is_not_measured(student, tmp_path, caplog):
    (tmp_path / "other.csv").write_text("text,label\n" + "a film,blue\nthe film,red\nit,green\n" * 10)
    record = {"stage": "task", "settings": {"train_file": str(tmp_path / "other.csv")}}
    (student / "run.json").write_text(json.dumps(record))
    with caplog.at_level("WARNING", logger="absl"):
        assert export._task_of(ExportConfig(model=str(student)), BertClassifier.from_preset(student)) is None
    assert "model: got 2 labels, bad, good; expected the 3 of files: blue, green, red" in caplog.text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ("[]", "list"),
        ("{}", "without a readable 'stage'"),
        ('{"stage": "task", "settings": []}', "without a readable 'settings'"),
        ('{"stage": "task", "settings": {"train_file": 5}}', "train_file=5"),
        ('{"stage": "task", "settings": {"task": "chess"}}', "chess"),
    ],
)
def test_a_damaged_record_does_not_hinder(student, content, told, caplog):
    """The warning names the file or the setting; the rest of the export does not need it."""
    (student / "run.json").write_text(content)
    with caplog.at_level("WARNING", logger="absl"):
        assert export._task_of(ExportConfig(model=str(student)), BertClassifier.from_preset(student)) is None
    (line,) = caplog.messages
    assert line.startswith("Accuracy is not measured: ") and told in line and "\n" not in line


def test_every_name_of_the_tables(student, tmp_path):
    """The command line offers each; each format has its module, and each extra is one of setup.py's."""
    config(student, tmp_path, variants=tuple(NUMBER_FORMATS), export_formats=tuple(EXPORT_FORMATS))
    setup = (Path(__file__).parents[2] / "setup.py").read_text()
    for name in EXPORT_FORMATS:
        exporter = export.exporter_of(name)
        assert name == exporter.NAME
        assert all(f'"{extra.name}": [' in setup for extra in exporter.EXTRAS)
    for name in ("none", *QUANTIZED_FORMATS):
        assert TaskConfig(quantize=name).quantize == name
    with pytest.raises(InputError, match="quantize: got float16; expected one of none, int8, int4"):
        TaskConfig(quantize="float16")


@pytest.mark.parametrize("failing", ["convert", "wrong numbers"])
def test_a_failure_leaves_no_files(student, tmp_path, monkeypatch, failing):
    with monkeypatch.context() as patch:
        if failing == "convert":
            patch.setattr(litert, "convert", lambda *args: (_ for _ in ()).throw(OSError("disk full")))
        else:
            patch.setattr(TextClassifier, "predict", lambda self, texts, pairs=None: np.zeros((len(texts), 2)))
        with pytest.raises((OSError, RuntimeError), match=r"disk full|from the Keras model"):
            export.run(config(student, tmp_path, variants=("float32",)))
    assert {file.name for file in (tmp_path / "export").iterdir()} <= {".lock", ".partial", "run.json"}
    assert export.run(config(student, tmp_path, variants=("float32",))).finished


def test_errors(student, folder, tmp_path):
    with pytest.raises(InputError, match=r"model: got .*nowhere"):
        export.run(config(tmp_path / "nowhere", tmp_path))
    with pytest.raises(InputError, match=r"model: got .*; expected .*"):
        export.run(config(folder, tmp_path))  # an encoder has no labels
    with pytest.raises(InputError, match="sequence_length: got 100; expected at most 24"):
        export.run(config(student, tmp_path, sequence_length=100))
    with pytest.raises(InputError, match=r"variants: got .*int2"):
        config(student, tmp_path, variants=("int2",))
    with pytest.raises(InputError, match="export_formats: got "):
        config(student, tmp_path, export_formats=("litert", "litert"))
    assert not (tmp_path / "export").exists()


def test_labels_of_another_task(student, tmp_path):
    BertClassifier.from_preset(student / "model")
    with pytest.raises(InputError, match="model: got 2 labels"):
        export.run(config(student, tmp_path, train_file=str(_three_classes(tmp_path))))


def _three_classes(tmp_path):
    file = tmp_path / "three.csv"
    file.write_text("text,label\n" + "".join(f"film {i},{'abc'[i % 3]}\n" for i in range(60)))
    return file


def test_a_missing_extra_is_said_before_any_work(student, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"variants: got 'int4' without ai_edge_quantizer; .*tinybert-tf\[int4\]"):
        export.run(config(student, tmp_path, variants=("int8", "int4")))
    assert not (tmp_path / "export").exists()


ASSETS = {"student.tflite", "vocab.txt", "labels.txt", "model_info.json"}


def test_android_assets(student, tmp_path):
    """They are written beside other files, again after they were lost, and by a run that finished without them."""
    assets = tmp_path / "app" / "assets"
    run = export.run(config(student, tmp_path))
    assert not assets.exists() and "android_assets" not in json.loads((run.path / "run.json").read_text())["settings"]
    for others in (set(), {"mine.txt"}):
        assert export.run(config(student, tmp_path, android_assets=str(assets))).was_finished
        assert {file.name for file in assets.iterdir()} == ASSETS | others
        assert all((assets / name).read_bytes() == (run.path / name).read_bytes() for name in ASSETS)
        (assets / "student.tflite").unlink()
        (assets / "mine.txt").touch()


def test_android_assets_whole_or_not_at_all(student, tmp_path, monkeypatch):
    assets = tmp_path / "assets"
    export.run(config(student, tmp_path, android_assets=str(assets)))
    (assets / "labels.txt").unlink()
    (assets / "labels.txt").mkdir()  # nothing can take its place, which is seen before anything else is touched
    before = {name: (assets / name).stat().st_mtime_ns for name in ASSETS}
    with pytest.raises(InputError, match=r"android_assets: got .*assets \(.*\); expected a folder that can be written"):
        export.run(config(student, tmp_path, android_assets=str(assets)))
    assert {file.name: file.stat().st_mtime_ns for file in assets.iterdir()} == before
    with pytest.raises(InputError, match="android_assets: got "):
        export.run(config(student, tmp_path, android_assets=str(assets / "vocab.txt")))
    with pytest.raises(InputError, match=r"android_assets: got .*; expected litert"):
        config(student, tmp_path, android_assets=str(assets), export_formats=("saved_model",))


def test_the_erf_form_of_gelu_in_onnx(make_classifier, tmp_path):
    """Most BERTs of Hugging Face use it; TensorFlow's own becomes an op that ONNX lacks."""
    make_classifier(activation="gelu", num_layers=1).save_to_preset(tmp_path / "model")
    run = export.run(config(tmp_path / "model", tmp_path, export_formats=("onnx",)))
    assert run.record["results"]["files"]["onnx/model.onnx"]["max_difference"] < 1e-5


def test_texts_have_no_threshold_of_no_answer(student, tmp_path):
    with pytest.raises(InputError, match=r"^null_threshold: got 3\.0; expected none: it is for models that answer"):
        export.run(config(student, tmp_path, null_threshold=3.0))
    with pytest.raises(InputError, match=r"^null_threshold: got inf; expected a finite number"):
        config(student, tmp_path, null_threshold=float("inf"))
