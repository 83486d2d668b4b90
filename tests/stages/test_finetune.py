"""Fine-tuning a teacher."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.stages.conftest import QUICK, files_only
from tinybert_tf.augmentation.file import line_of
from tinybert_tf.data.tasks import load_task
from tinybert_tf.evaluation.dev import DevEvaluator
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import finetune


def test_the_teacher_learns_and_knows_its_labels(runs):
    assert runs["finetune"].record["results"]["dev"]["accuracy"] > 0.9
    teacher = BertClassifier.from_preset(str(runs["finetune"].path))
    assert teacher.labels == ["bad", "good"] and teacher.tokenizer.sequence_length == 16
    card = (runs["finetune"].model / "README.md").read_text()
    assert "bad, good" in card and "accuracy" in card
    assert "Dev      accuracy" in finetune.summary(runs["finetune"])


def test_checkpoints_are_chosen_by_the_mean_of_the_metrics(runs, files, eagerly):
    task = dataclasses.replace(load_task(**files_only(files)), metrics=("accuracy", "f1"), choose_by=())
    model = BertClassifier.from_preset(str(runs["finetune"].path))
    found = DevEvaluator(model, task, 16)()
    assert found["score"] == pytest.approx((found["accuracy"] + found["f1"]) / 2)
    by_macro_f1 = DevEvaluator(model, task.chosen_by("macro_f1"), 16)()
    assert by_macro_f1["score"] == by_macro_f1["macro_f1"]
    assert "loss" in found and "loss" not in DevEvaluator(model, dataclasses.replace(task, name="sst2"), 16)()


@pytest.fixture
def uneven(tmp_path):
    """A file in which every tenth text is a complaint, by one of its words."""
    rng = np.random.default_rng(1)
    words = ["a", "the", "film", "story", "of", "is", "it", "play"]
    lines = ["text,label"]
    for i in range(300):
        text = " ".join(rng.choice(words, 4))  # as many words in each class: batches have texts of similar length
        lines.append(f"bad {text},complaint" if i % 10 == 0 else f"good {text},fine")
    (tmp_path / "uneven.csv").write_text("\n".join(lines))
    return str(tmp_path / "uneven.csv")


@pytest.fixture
def finetuned(shallow_teacher, tmp_path):
    """A function that fine-tunes on a file."""

    def run(file, **settings):
        settings = QUICK | {"sequence_length": 16, "epochs": 0, "eval_steps": 5, "log_steps": 5} | settings
        given = {"output_dir": str(tmp_path / "run"), "model": str(shallow_teacher), "train_file": str(file)}
        return finetune.run(configs.FinetuneConfig(**given, **settings))

    return run


def test_a_class_that_is_never_found_is_named_and_equals_are_told_apart_by_their_loss(finetuned, uneven):
    folder = finetuned(uneven, max_steps=15)
    dev = folder.record["results"]["dev"]
    assert dev["accuracy"] == pytest.approx(27 / 30) and dev["macro_f1"] < 0.5
    assert "90.00 % of the examples are fine, the most" in finetune.summary(folder)
    assert "Recall, lowest first: complaint 0.00 of 3, fine 100.00 of 27" in finetune.summary(folder)
    lines = [line for line in folder.metrics() if "held_out/loss" in line][1:]
    assert len({line["held_out/accuracy"] for line in lines}) == 1
    losses = [line["held_out/loss"] for line in lines]
    assert dev["loss"] == pytest.approx(min(losses)) and losses.index(min(losses)) > 0


def test_a_rare_class_can_be_weighed_and_chosen_by(finetuned, uneven):
    folder = finetuned(
        uneven, max_steps=120, learning_rate=3e-3, eval_steps=10, class_weights=("balanced",), metric="macro_f1"
    )
    dev = folder.record["results"]["dev"]
    assert dev["macro_f1"] > 0.9
    assert dev["score"] == dev["macro_f1"] == max(line.get("held_out/score", 0) for line in folder.metrics()[1:])


def test_numbers_far_from_0_are_learned_in_a_unit_of_their_own(finetuned, tmp_path):
    """The model that is saved answers in the labels' unit: a plain regression for any program."""
    rng = np.random.default_rng(2)
    rows = [
        {"text": " ".join(["good"] * n + ["film"] * (6 - n)), "label": 500.0 + 10 * n} for n in rng.integers(0, 7, 200)
    ]
    (tmp_path / "numbers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"regression": True, "max_steps": 100, "learning_rate": 3e-3, "metric": "mae"}
    options["dev_file"] = str(tmp_path / "numbers.jsonl")  # of seven texts a tenth would be one
    folder = finetuned(tmp_path / "numbers.jsonl", eval_steps=20, **options)
    dev = folder.record["results"]["dev"]
    assert dev["mae"] < 4 and dev["pearson"] > 0.95
    assert f"mae {dev['mae']:.4g}" in finetune.summary(folder)
    best = max(line["held_out/score"] for line in folder.metrics() if "held_out/score" in line)
    assert dev["score"] == pytest.approx(best, rel=1e-4) and dev["score"] == -dev["mae"]
    model = BertClassifier.from_preset(str(folder.path))
    assert json.loads((folder.model / "config.json").read_text())["problem_type"] == "regression"
    answers = np.asarray(model(model.tokenizer(["good good good film film film"])))
    assert answers[0, 0] == pytest.approx(530, abs=8)
    # A run that dies before its model is saved scales its labels and folds them in the same way.
    saved, record = (
        (folder.model / "model.safetensors").read_bytes(),
        json.loads((folder.path / "run.json").read_text()),
    )
    shutil.rmtree(folder.model)
    (folder.path / "run.json").write_text(json.dumps(record | {"status": "running"}))
    again = finetuned(tmp_path / "numbers.jsonl", eval_steps=20, **options)
    assert (again.model / "model.safetensors").read_bytes() == saved


@pytest.mark.usefixtures("eagerly")
def test_the_error_of_numbers_far_from_0_is_that_of_the_saved_model_in_16_bits_too(finetuned, tmp_path):
    rows = [{"text": " ".join(["good"] * n + ["film"]), "label": 2001 + n} for n in [0, 1, 2] * 20]
    (tmp_path / "years.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"regression": True, "max_steps": 2, "dtype_policy": "mixed_bfloat16"}
    folder = finetuned(tmp_path / "years.jsonl", **options)
    years = load_task(train_file=str(tmp_path / "years.jsonl"), regression=True)
    again = DevEvaluator(BertClassifier.from_preset(str(folder.path)), years, 16)()
    assert folder.record["results"]["dev"]["mae"] == pytest.approx(again["mae"], rel=0.02)


def test_balanced_weights_count_what_a_pass_shows(plain_teacher, uneven, tmp_path):
    train = load_task(train_file=str(uneven)).splits["train"]
    variants = [3 * label for label in train.labels]  # of one class alone
    lines = [line_of(i, text, None) for i, n in enumerate(variants) for text in [train.texts[i], *["film"] * n]]
    (tmp_path / "augmented.jsonl").write_text("".join(lines))
    given = {"output_dir": str(tmp_path / "run"), "model": str(plain_teacher), "train_file": str(uneven)}
    job = finetune._Finetune(
        configs.FinetuneConfig(**given, augmented=str(tmp_path / "augmented.jsonl"), class_weights=("balanced",))
    )
    job.read()
    shown = np.bincount(job.examples.labels, weights=job.repeats)
    assert len(job.examples) > len(train) and np.ptp(shown * job.losses["loss"].weights) == pytest.approx(0, abs=1e-3)
