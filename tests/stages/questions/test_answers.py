"""Question answerers are evaluated, asked, exported and cut to a smaller vocabulary."""

import io
import json

import numpy as np
import pytest

from tests.stages.questions.conftest import of
from tinybert_tf import assets
from tinybert_tf.errors import InputError
from tinybert_tf.exporters import web
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import evaluate, export, predict, vocabulary
from tinybert_tf.tflite import QuestionAnswerer

CONTEXT = "it is a fine film and a dull story"


def test_evaluation_beside_the_teacher(data, student, teacher, tmp_path):
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"),
        model=str(student.path),
        teacher=str(teacher.path),
        sequence_length=24,
        **of(data),
    )
    folder = evaluate.run(config)
    values = folder.record["results"]["splits"]["dev"]
    assert values["metrics"] == {k: student.record["results"]["dev"][k] for k in ("exact_match", "f1")}
    assert values["teacher_metrics"]["f1"] == teacher.record["results"]["dev"]["f1"]
    low, high = values["intervals"]["f1"]
    assert low <= values["metrics"]["f1"] <= high and values["examples"] == 16
    predictions = json.loads((folder.path / "predictions.json").read_text())
    assert set(predictions) == {f"q{i}" for i in range(16)}
    assert "EM " in evaluate.summary(folder) and evaluate.run(config).was_finished


def test_answers_are_predicted(student, teacher, data, capsys, monkeypatch, eagerly):
    predict.run(configs.PredictConfig(model=str(teacher.path), question="film", context=CONTEXT))
    row = json.loads(capsys.readouterr().out)
    assert set(row) == {"id", "question", "answer", "start", "end", "probability", "no_answer"}
    assert CONTEXT[row["start"] : row["end"]] == row["answer"] and not row["no_answer"]
    predict.run(configs.PredictConfig(model=str(teacher.path), input_file=str(data / "dev.json")))
    assert len(capsys.readouterr().out.splitlines()) == 16
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps({"question": "film", "context": CONTEXT}).encode()))
    )
    predict.run(configs.PredictConfig(model=str(teacher.path)))
    assert json.loads(capsys.readouterr().out) == row
    for line in ("a film", '{"question": "film", "context": "\\ud800"}', '{"question": 1' + "0" * 5000 + "}"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
        with pytest.raises(InputError, match=r"input_file: got line 1 of standard input: .*; expected JSON objects"):
            predict.run(configs.PredictConfig(model=str(teacher.path)))


def test_exported_files_give_the_same_answers(data, student, tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "fetch", lambda _: web.PAGE)  # in place of LiteRT.js
    config = configs.ExportConfig(
        model=str(student.path),
        output_dir=str(tmp_path / "run"),
        variants=("float32", "int8"),
        export_formats=("litert", "saved_model", "onnx", "web"),
    )
    run = export.run(config)
    files = json.loads((run.path / "parity.json").read_text())["files"]
    names = ["student.tflite", "student_int8.tflite", "saved_model", "onnx/model.onnx", "onnx/model_quantized.onnx"]
    names.append("web/student.tflite")
    assert list(files) == names
    for name in ("student.tflite", "saved_model", "onnx/model.onnx", "web/student.tflite"):
        assert files[name]["agreement"] == 1.0 and files[name]["metrics"] == student_metrics(student)
    info = json.loads((run.path / "model_info.json").read_text())
    expected = {"kind": "question_answering", "sequence_length": 24, "stride": 8, "max_question": 12, "max_answer": 30}
    assert expected.items() <= info.items() and info["null_threshold"] is None and info["task"] == "squad"
    answer = QuestionAnswerer(run.path / "student_int8.tflite")("film", CONTEXT)
    assert CONTEXT[answer["start"] : answer["end"]] == answer["answer"]
    assert "QuestionAnswerer" in export.summary(run)


def test_spans_are_not_calibrated(student):
    for option in ({"calibrate": True}, {"target_precision": 0.9}, {"abstain_below": 0.9}):
        with pytest.raises(
            InputError, match=f"{min(option)}: got .*, for a question answering model; expected a class"
        ):
            export.run(configs.ExportConfig(model=str(student.path), **option))
    with pytest.raises(
        InputError, match=r"abstain_below: got 0\.9; expected none: --null_threshold is that of questions"
    ):
        predict.run(configs.PredictConfig(model=str(student.path), question="a", context="b", abstain_below=0.9))


def student_metrics(student):
    return {name: student.record["results"]["dev"][name] for name in ("exact_match", "f1")}


def test_a_smaller_vocabulary_keeps_the_head(teacher, tmp_path, eagerly):
    (tmp_path / "text.txt").write_text("a fine film and the story of it is dull")
    config = configs.VocabularyConfig(
        model=str(teacher.path), corpus=(str(tmp_path / "text.txt"),), output_dir=str(tmp_path / "run")
    )
    small = BertQuestionAnswerer.from_preset(str(vocabulary.run(config).path), new_head=False)
    whole = BertQuestionAnswerer.from_preset(str(teacher.path), new_head=False)
    assert len(small.tokenizer.vocabulary) < len(whole.tokenizer.vocabulary)
    found, expected = (
        model(model.tokenizer(["the film"], ["a fine film"]))["start_logits"] for model in (small, whole)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
