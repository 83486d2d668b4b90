"""Questions through the stages that train: a tiny teacher learns, and a student imitates it."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorflow.python.framework.config import disable_op_determinism

from tests.stages.questions.conftest import TINY, of, squad
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertMaskedLM, BertQuestionAnswerer
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as all_stages
from tinybert_tf.stages import augment, evaluate, finetune, predict, task
from tinybert_tf.training import loop


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
