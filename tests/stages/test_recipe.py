"""The stages of task distillation, one after another, on tiny models."""

import contextlib
import dataclasses
import io
import json
import shutil
import sys

import numpy as np
import pytest

from tests.stages.conftest import QUICK
from tinybert_tf.augmentation.file import FILE, read_augmented
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.dev import dev_evaluator
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import augment, evaluate, finetune, masked_lm, predict, task
from tinybert_tf.training.compression import sparsity_of


def test_the_teacher_learns_and_knows_its_labels(runs):
    assert runs["finetune"].record["results"]["dev"]["accuracy"] > 0.9
    teacher = BertClassifier.from_preset(str(runs["finetune"].path))
    assert teacher.labels == ["bad", "good"] and teacher.tokenizer.sequence_length == 16
    card = (runs["finetune"].model / "README.md").read_text()
    assert "bad, good" in card and "accuracy" in card
    assert "Dev      accuracy" in finetune.summary(runs["finetune"])


def test_checkpoints_are_chosen_by_the_mean_of_the_metrics(runs, files):
    task = dataclasses.replace(load_task(**files_only(files)), metrics=("accuracy", "f1"))
    found = dev_evaluator(BertClassifier.from_preset(str(runs["finetune"].path)), task, 16)()
    assert found["score"] == pytest.approx((found["accuracy"] + found["f1"]) / 2)


def files_only(files):
    return {name: path for name, path in files.items() if name.endswith("file")}


def test_the_masked_lm_learns(runs):
    results = runs["masked_lm"].record["results"]
    assert results["held_out"]["loss"] < 0.93 * results["untrained"]["loss"]  # 0.865: half of that fall at least
    assert results["held_out"]["top5"] > results["held_out"]["top1"] >= 0
    assert "top-5" in masked_lm.summary(runs["masked_lm"])


def test_augmentation_keeps_originals_and_adds_variants(runs):
    rows = [json.loads(line) for line in (runs["augment"].path / FILE).read_text().splitlines()]
    results = runs["augment"].record["results"]
    assert results["examples"] == 180 and results["rows"] == len(rows) > 400
    assert len({(row["source"], row["text"]) for row in rows}) == len(rows)
    assert sorted({row["source"] for row in rows}) == list(range(180))
    assert 0 < results["flip_rate"] < 1 and results["flips_looked_at"] == len(rows) - 180
    assert "label flips for" in augment.summary(runs["augment"])


def test_originals_are_drawn_as_often_as_asked_for(runs, files):
    own = load_task(**files_only(files))
    for share, least, most in ((0.0, 0.0, 0.3), (0.5, 0.45, 0.55), (0.8, 0.75, 0.85)):
        examples, repeats = read_augmented(str(runs["augment"].path), own, share)
        firsts = repeats[[examples.texts.index(text) for text in own.split("train").texts]].sum()
        assert least < firsts / repeats.sum() < most
    assert repeats.min() == 1


def test_the_student_learns_the_task_in_two_phases(runs):
    assert runs["task"].record["results"]["dev"]["accuracy"] > 0.85
    base = runs["task"].path
    losses = [json.loads(line) for line in (base / "intermediate" / "metrics.jsonl").read_text().splitlines()]
    held_out = [line["held_out/loss"] for line in losses if "held_out/loss" in line]
    assert held_out[-1] < 0.7 * held_out[0]
    assert (base / "prediction" / "model").is_dir()
    assert BertClassifier.from_preset(str(base)).labels == ["bad", "good"]
    assert "distilled from" in (base / "model" / "README.md").read_text()


def test_the_evaluation_agrees_with_its_files(runs):
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


def test_predictions_are_one_object_a_line(runs, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a good film\na bad, dull one\n\n")))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path)))
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["text"] for row in rows] == ["a good film", "a bad, dull one", ""]
    assert [row["label"] for row in rows[:2]] == ["good", "bad"]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


ODD_LINES = "a good\u2028film\x85indeed"


def test_a_line_of_a_text_file_ends_with_a_newline_alone(runs, tmp_path):
    (tmp_path / "texts.txt").write_text(f"{ODD_LINES}\n\na bad film\n", encoding="utf-8")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path), input_file=str(tmp_path / "texts.txt")))
    rows = [json.loads(line) for line in out.getvalue().removesuffix("\n").split("\n")]
    assert [row["text"] for row in rows] == [ODD_LINES, "", "a bad film"]


def test_a_file_is_read_in_batches_at_a_terminal_too(runs, tmp_path, monkeypatch):
    (tmp_path / "texts.txt").write_text("a good film\na bad film\na dull film\n", encoding="utf-8")
    sizes, real = [], Predictor.logits
    monkeypatch.setattr(Predictor, "logits", lambda *args: sizes.append(len(args[1])) or real(*args))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    model = str(runs["finetune"].path)
    with contextlib.redirect_stdout(io.StringIO()):
        predict.run(configs.PredictConfig(model=model, input_file=str(tmp_path / "texts.txt"), batch_size=2))
    assert sizes == [2, 1]


def test_so_does_a_line_of_augmented_texts(runs, reviews, tmp_path):
    lines = (reviews / "train.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.csv").write_text("\n".join([*lines, f'"{ODD_LINES}",good\n']), encoding="utf-8")
    config = configs.AugmentConfig(
        output_dir=str(tmp_path / "augment"),
        masked_lm=str(runs["masked_lm"].path),
        vectors="",
        teacher=str(runs["finetune"].path),
        num_variants=2,
        train_file=str(tmp_path / "train.csv"),
    )
    folder = augment.run(config)
    assert folder.record["results"]["examples"] > 100
    rows = read_augmented(str(folder.path), load_task(train_file=config.train_file), 0.0)[0].texts
    assert ODD_LINES in rows and len(rows) == folder.record["results"]["rows"]


def test_another_model_is_not_the_one_that_was_evaluated(runs, files, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(runs["finetune"].path / "model", model)
    config = configs.EvaluateConfig(output_dir=str(tmp_path / "evaluate"), model=str(model), **files)
    assert not evaluate.run(config).was_finished and evaluate.run(config).was_finished
    shutil.rmtree(model)
    shutil.copytree(runs["task"].path / "model", model)
    with pytest.raises(InputError, match=r"^model: got content that has changed since"):
        evaluate.run(config)


def test_joint_distillation_matches_everything_at_once(runs, files, student_shape, tmp_path):
    config = configs.TaskConfig(
        output_dir=str(tmp_path / "joint"),
        teacher=str(runs["finetune"].path),
        student=student_shape,
        phase="joint",
        max_steps=6,
        **files,
        **QUICK,
    )
    folder = task.run(config)
    lines = (folder.path / "joint" / "metrics.jsonl").read_text().splitlines()
    line = next(line for line in map(json.loads, lines) if "loss" in line)
    assert {"attention_loss", "hidden_loss", "embedding_loss", "prediction_loss"} <= set(line)


@pytest.mark.parametrize(
    "settings, phase",
    [({}, "joint"), ({"student": "tinybert_4l_312"}, "two"), ({"phase": "two"}, "two"), ({"task": "sst2"}, "two")],
)
def test_who_has_learned_already_learns_jointly_where_little_time_is(settings, phase, files):
    data = {} if "task" in settings else files_only(files)
    own = load_task(**files_only(files))
    own = dataclasses.replace(own, name=settings.get("task", own.name))
    assert task.recipe_of(configs.TaskConfig(**data, **settings), own).phase == phase


def test_a_student_learns_with_the_weights_of_its_file(runs, files, tmp_path):
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


def test_an_interrupted_augmentation_goes_on_to_the_same_file(runs, files, tmp_path, monkeypatch):
    monkeypatch.setattr(augment, "_CHUNK", 50)
    options = {"masked_lm": str(runs["masked_lm"].path), "vectors": "", "num_variants": 5, "num_candidates": 4} | files
    whole = augment.run(configs.AugmentConfig(output_dir=str(tmp_path / "whole"), **options))
    calls = []

    def dies(*args):
        calls.append(1)
        if len(calls) > 120:
            raise KeyboardInterrupt
        return make(*args)

    make = augment.make_pair_variants
    monkeypatch.setattr(augment, "make_pair_variants", dies)
    config = configs.AugmentConfig(output_dir=str(tmp_path / "cut"), **options)
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    partial = tmp_path / "cut" / augment.VARIANTS
    partial.write_bytes(partial.read_bytes()[:-7])  # the kill came within a line
    monkeypatch.setattr(augment, "make_pair_variants", make)
    cut = augment.run(config)
    assert (cut.path / FILE).read_bytes() == (whole.path / FILE).read_bytes()


def test_variants_that_turn_the_answer_round_can_be_left_out(runs, files, tmp_path, monkeypatch):
    options = {"masked_lm": str(runs["masked_lm"].path), "vectors": "", "num_variants": 5, "num_candidates": 4} | files
    teacher = str(runs["finetune"].path)
    config = configs.AugmentConfig(output_dir=str(tmp_path / "run"), teacher=teacher, drop_flips=True, **options)
    results = dict(augment.run(config).record["results"])
    before = runs["augment"].record["results"]["rows"]
    assert 0 < results["dropped"] == before - results["rows"]

    def dies(*args):
        write_text(*args)
        raise KeyboardInterrupt

    write_text = augment.write_text
    monkeypatch.setattr(augment, "write_text", dies)
    config = dataclasses.replace(config, output_dir=str(tmp_path / "cut"))
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    monkeypatch.setattr(augment, "write_text", write_text)
    cut = augment.run(config).record["results"]
    assert cut | {"seconds": 0} == results | {"seconds": 0}  # it looks at all of the variants again


def test_a_line_that_is_no_augmented_example_is_named(runs, files, tmp_path):
    (tmp_path / FILE).write_text('{"source": 0, "text": "fine"}\n{"text": "dull"}\n')
    with pytest.raises(InputError, match=f"{FILE}, line 2: .*; expected an object with source, text"):
        read_augmented(str(tmp_path), load_task(**files_only(files)), 0.0)


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


def test_labels_are_matched_by_name_not_by_number(runs, files, tmp_path, monkeypatch):
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


def test_a_test_file_alone_is_read_by_the_models_labels(runs, tmp_path):
    """The file holds one of two classes, and would not say by itself which one."""
    (tmp_path / "test.csv").write_text("text,label\na good film,good\nthe fine story,good\n")
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"), model=str(runs["finetune"].path), test_file=str(tmp_path / "test.csv")
    )
    assert evaluate.run(config).record["results"]["splits"]["test"]["metrics"]["accuracy"] == 1.0


def test_texts_without_labels_are_predicted(runs, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"text": "a good film"}\n{"text": "the dull story"}\n')
    config = configs.EvaluateConfig(
        output_dir=str(tmp_path / "run"), model=str(runs["finetune"].path), test_file=str(tmp_path / "test.jsonl")
    )
    folder = evaluate.run(config)
    assert "no labels" in evaluate.summary(folder)
    rows = [json.loads(line) for line in (folder.path / "predictions.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in rows] == ["good", "bad"]
