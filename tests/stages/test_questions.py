"""Questions through the stages: a tiny teacher learns, a student imitates it, and both are measured and exported."""

import dataclasses
import io
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorflow.python.framework.config import disable_op_determinism

from tests.conftest import PIECES, WORDS
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertEncoder, BertMaskedLM, BertQuestionAnswerer, BertTokenizer
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as all_stages
from tinybert_tf.stages import augment, evaluate, export, finetune, predict, task, vocabulary
from tinybert_tf.tflite import QuestionAnswerer
from tinybert_tf.training import loop

TINY = {"deterministic": False, "batch_size": 8, "sequence_length": 24, "eval_steps": 60, "save_steps": 60}
PLAIN = [word for word in WORDS if word not in ("fine", "film")]
CONTEXT = "it is a fine film and a dull story"


def squad(count, seed, unanswerable=False):
    """A question per context: the answer is "fine film" wherever it is; it may be nowhere in every third."""
    rng, paragraphs = np.random.default_rng(seed), []
    for i in range(count):
        words = list(rng.choice(PLAIN, 7))
        row = {"id": f"q{i}", "question": "the film", "answers": []}
        if not unanswerable or i % 3:
            words.insert(place := int(rng.integers(8)), "fine film")
            row["answers"] = [{"text": "fine film", "answer_start": len(" ".join([*words[:place], ""]))}]
        paragraphs.append({"context": " ".join(words), "qas": [row | {"is_impossible": not row["answers"]}]})
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squad")
    for name, content in {
        "train": squad(60, 0),
        "dev": squad(16, 1),
        "train2": squad(30, 0, True),
        "dev2": squad(16, 1, True),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The folder of a random BERT of one layer, and of 12 heads as students have them."""
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(len(PIECES), 1, 12, 24, 48, max_sequence_length=64)
    encoder.tokenizer = BertTokenizer(PIECES, sequence_length=64)
    folder = tmp_path_factory.mktemp("plain") / "model"
    encoder.save_to_preset(folder)
    return folder


def of(data, version=""):
    files = {f"{name}_file": str(data / f"{name}{version[1:]}.json") for name in ("train", "dev")}
    return files | {"task": f"squad{'_v2' if version else ''}"}


@pytest.fixture(scope="module")
def teacher(data, plain, tmp_path_factory):
    config = configs.FinetuneConfig(
        output_dir=str(tmp_path_factory.mktemp("runs") / "teacher"),
        model=str(plain),
        max_steps=60,
        learning_rate=4e-3,
        dropout=0.0,
        **TINY,
        **of(data),
    )
    return finetune.run(config)


@pytest.fixture(scope="module")
def student(data, teacher, student_shape, tmp_path_factory):
    config = configs.TaskConfig(
        output_dir=str(tmp_path_factory.mktemp("runs") / "student"),
        teacher=str(teacher.path),
        student=student_shape,
        max_steps=25,
        learning_rate=4e-3,
        init_tokens=300,
        **TINY,
        **of(data),
    )
    return task.run(config)


def test_the_teacher_learns(teacher):
    dev = teacher.record["results"]["dev"]
    assert dev["f1"] > 0.8 and dev["exact_match"] <= dev["f1"]
    model = BertQuestionAnswerer.from_preset(str(teacher.path), new_head=False)
    assert model.tokenizer.sequence_length == 24 and model.null_threshold is None
    card = (teacher.model / "README.md").read_text()
    assert "question-answering" in card and "f1" in card and "Dev      exact_match" in finetune.summary(teacher)


def test_the_student_imitates_it_jointly(student, teacher):
    lines = [json.loads(line) for line in (student.path / "joint" / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "prediction_loss" in line]
    assert {"attention_loss", "hidden_loss", "embedding_loss"} <= set(lines[0])
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert "distilled from" in (student.model / "README.md").read_text()


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
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a film\n")))
    with pytest.raises(InputError, match="input_file: got line 1 of standard input: 'a film'; expected JSON objects"):
        predict.run(configs.PredictConfig(model=str(teacher.path)))


def test_exported_files_give_the_same_answers(data, student, tmp_path):
    config = configs.ExportConfig(
        model=str(student.path),
        output_dir=str(tmp_path / "run"),
        variants=("float32", "int8"),
        export_formats=("litert", "saved_model", "onnx"),
    )
    run = export.run(config)
    files = json.loads((run.path / "parity.json").read_text())["files"]
    names = ["student.tflite", "student_int8.tflite", "saved_model", "onnx/model.onnx", "onnx/model_quantized.onnx"]
    assert list(files) == names
    for name in ("student.tflite", "saved_model", "onnx/model.onnx"):
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


def test_a_model_of_unanswerable_questions_gets_a_threshold(data, plain, tmp_path, capsys, eagerly):
    options = TINY | of(data, "_2") | {"max_steps": 3, "eval_steps": 3, "output_dir": str(tmp_path / "run")}
    run = finetune.run(configs.FinetuneConfig(model=str(plain), **options))
    results = run.record["results"]
    model = BertQuestionAnswerer.from_preset(str(run.path))
    assert model.null_threshold == results["null_threshold"] == results["dev"]["best_f1_threshold"]
    predict.run(configs.PredictConfig(model=str(run.path), question="play", context="a film", null_threshold=-1e6))
    row = json.loads(capsys.readouterr().out)
    assert row["no_answer"] and row["answer"] == "" and row["start"] is None
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "dev"), model=str(run.path), sequence_length=24, **of(data, "_2")
    )
    found = evaluate.run(config).record["results"]["splits"]["dev"]
    assert found["metrics"]["f1"] == pytest.approx(results["dev"]["best_f1"])
    assert {"has_answer_f1", "no_answer_f1"} <= set(found["by_group"])
    assert {"predictions.json", "null_odds.json"} <= {file.name for file in (tmp_path / "dev").iterdir()}


def test_augmented_questions_are_learned_from(data, teacher, plain, tmp_path, eagerly):
    BertMaskedLM.from_preset(str(plain)).save_to_preset(tmp_path / "masked_lm")
    options = {"masked_lm": str(tmp_path / "masked_lm"), "vectors": "", "num_variants": 2, "num_candidates": 3}
    files = of(data) | {"train_file": str(data / "dev.json")}
    run = augment.run(configs.AugmentConfig(output_dir=str(tmp_path / "augment"), **options, **files))
    rows = [json.loads(line) for line in (run.path / "augmented.jsonl").read_text().splitlines()]
    assert len(rows) > 32 and run.record["results"]["examples"] == 16
    assert all(r["text_pair"][start:].startswith(text) for r in rows for text, start in r["answers"])
    config = configs.FinetuneConfig(
        output_dir=str(tmp_path / "run"),
        model=str(teacher.path),
        augmented=str(run.path),
        max_steps=1,
        original_share=0.5,
        **TINY,
        **files,
    )
    assert finetune.run(config).finished
    with pytest.raises(InputError, match=r"augmented: got .*made from other training questions"):
        finetune.run(dataclasses.replace(config, output_dir=str(tmp_path / "other"), **of(data)))


def test_the_whole_recipe(data, teacher, student_shape, tmp_path, eagerly):
    options = {"teacher": str(teacher.path), "student": student_shape, "max_steps": 1, "deterministic": False}
    config = configs.AllConfig(output_dir=str(tmp_path / "all"), sequence_length=24, **options, **of(data))
    config = dataclasses.replace(config, train_file=config.dev_file)
    run = all_stages.run(config)
    summary = all_stages.summary(run)
    assert "exact_match" in summary and "--question=" in summary and all_stages.run(config).was_finished
    assert "fine film" in (run.path / "evaluation_texts.txt").read_text()


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


def test_what_does_not_fit_is_refused(data, teacher, classifier_folder, tmp_path, eagerly):
    options = TINY | of(data) | {"output_dir": str(tmp_path / "run")}
    with pytest.raises(InputError, match="metric: got accuracy, for squad; expected one of exact_match, f1"):
        finetune.run(configs.FinetuneConfig(model=str(classifier_folder), metric="accuracy", max_steps=1, **options))
    with pytest.raises(InputError, match="class_weights: got balanced; expected none"):
        finetune.run(
            configs.FinetuneConfig(model=str(classifier_folder), class_weights=("balanced",), max_steps=1, **options)
        )
    with pytest.raises(InputError, match=r"teacher: got .* without qa_outputs"):
        task.run(configs.TaskConfig(teacher=str(classifier_folder), student="tinybert_4l_312", **options))
    with pytest.raises(InputError, match="text_column: got sentence; expected none"):
        configs.FinetuneConfig(text_column="sentence", **of(data))
    with pytest.raises(InputError, match="teacher_labels: got a,b; expected none"):
        task.run(configs.TaskConfig(teacher=str(teacher.path), teacher_labels=("a", "b"), **options))
    with pytest.raises(InputError, match="question: got 'film'; expected --text"):
        predict.run(configs.PredictConfig(model=str(classifier_folder), question="film", context="a film"))
    with pytest.raises(InputError, match="text: got 'film'; expected --question and --context"):
        predict.run(configs.PredictConfig(model=str(teacher.path), text="film"))
    few = tmp_path / "few.json"
    few.write_text(json.dumps(squad(1, 0)))
    with pytest.raises(InputError, match=r"train_file: got .* with 1 contexts; expected more of them, or a --dev_file"):
        finetune.run(configs.FinetuneConfig(task="squad", train_file=str(few), max_steps=1, deterministic=False))
    with pytest.raises(InputError, match=r"train_file: got .*squad_v2"):
        finetune.run(configs.FinetuneConfig(task="squad", train_file=str(data / "train2.json"), deterministic=False))


def test_two_phases_that_are_interrupted_go_on_to_the_same_weights(
    data, teacher, student_shape, tmp_path, monkeypatch, eagerly
):
    """Phase 2 has the teacher's logits in a cache, because it shows each window more than once."""
    options = TINY | of(data) | {"teacher": str(teacher.path), "student": student_shape, "student_init": "svd"}
    options |= {"phase": "two", "max_steps": 1, "prediction_max_steps": 3, "save_steps": 1}
    options |= {"dropout": 0.1}
    options |= {"train_file": str(data / "dev.json"), "deterministic": True}
    monkeypatch.setattr(task, "_DEV_BATCHES", 1)
    after_step = loop._Loop.after_step

    def interrupted(self, bar):
        after_step(self, bar)
        if self.step == 2:
            raise KeyboardInterrupt

    try:
        task.run(configs.TaskConfig(output_dir=str(tmp_path / "whole"), **options))
        config = configs.TaskConfig(output_dir=str(tmp_path / "cut"), **options)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(loop._Loop, "after_step", interrupted)
            task.run(config)
        assert (tmp_path / "cut" / "intermediate" / "model").exists() and not (tmp_path / "cut" / "model").exists()
        task.run(config)
    finally:
        disable_op_determinism()
    assert "held_out/attention_loss" in (tmp_path / "cut" / "intermediate" / "metrics.jsonl").read_text()
    ours, theirs = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("cut", "whole"))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
