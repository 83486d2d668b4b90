"""A tiny teacher and tiny labelled files: good films and bad ones."""

import csv
import os

import numpy as np
import pytest

from tests.conftest import PIECES, WORDS

GOOD, BAD = ["good", "fine"], ["bad", "dull"]
QUICK = {"deterministic": False, "save_steps": 50, "eval_steps": 25, "batch_size": 16}


@pytest.fixture(scope="session")
def plain_teacher(tmp_path_factory):
    """The folder of a random BERT of 12 heads."""
    import keras

    from tinybert_tf.models import BertEncoder, BertTokenizer

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("teacher") / "plain"
    encoder = BertEncoder(len(PIECES), 3, 12, 24, 48, max_sequence_length=64)
    encoder.tokenizer = BertTokenizer(PIECES, sequence_length=64)
    encoder.save_to_preset(folder)
    return folder


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    """A folder with train.csv, test.csv and text.txt; a text is good or bad by one of its words."""
    folder = tmp_path_factory.mktemp("reviews")
    rng = np.random.default_rng(0)
    plain = [word for word in WORDS if word not in GOOD + BAD]

    def rows(count):
        for i in range(count):
            words = list(rng.choice(plain, rng.integers(3, 9)))
            words.insert(rng.integers(len(words)), rng.choice(GOOD if i % 2 else BAD))
            yield {"text": " ".join(words), "label": "good" if i % 2 else "bad"}

    for name, count in (("train", 200), ("test", 60)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows(count))
    (folder / "text.txt").write_text("\n\n".join(row["text"] for row in rows(200)), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def student_shape():
    """A shape of two layers under a name, for a process of its own too."""
    from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig

    STUDENT_PRESETS["tiny"] = EncoderConfig(num_layers=2, hidden_dim=12, intermediate_dim=24, max_sequence_length=64)
    yield "tiny"
    del STUDENT_PRESETS["tiny"]


@pytest.fixture(scope="module")
def files(reviews):
    return {"train_file": str(reviews / "train.csv"), "test_file": str(reviews / "test.csv"), "sequence_length": 16}


@pytest.fixture(scope="module")
def runs(plain_teacher, reviews, files, student_shape, tmp_path_factory):
    """Every stage's finished run by name."""
    from tinybert_tf.settings import stages as configs
    from tinybert_tf.stages import augment, evaluate, finetune, masked_lm, task

    base = tmp_path_factory.mktemp("runs")

    def go(stage, kind, name, **options):
        return stage.run(kind(output_dir=str(base / name), **options))

    teacher = str(plain_teacher)
    made = {"base": base}
    made["finetune"] = go(
        finetune, configs.FinetuneConfig, "finetune", model=teacher, epochs=12, learning_rate=3e-3, **files, **QUICK
    )
    made["masked_lm"] = go(
        masked_lm,
        configs.MaskedLMConfig,
        "masked_lm",
        model=teacher,
        corpus=(str(reviews / "text.txt"),),
        max_steps=60,
        sequence_length=16,
        eval_sequences=8,
        learning_rate=3e-3,
        **QUICK,
    )
    made["augment"] = go(
        augment,
        configs.AugmentConfig,
        "augment",
        masked_lm=str(made["masked_lm"].path),
        vectors="",
        num_variants=5,
        num_candidates=4,
        teacher=str(made["finetune"].path),
        **files,
    )
    made["task"] = go(
        task,
        configs.TaskConfig,
        "task",
        teacher=str(made["finetune"].path),
        student=student_shape,
        augmented=str(made["augment"].path),
        phase="two",
        max_steps=80,
        learning_rate=3e-3,
        prediction_max_steps=80,
        prediction_learning_rate=3e-3,
        **files,
        **QUICK,
    )
    made["evaluate"] = go(
        evaluate,
        configs.EvaluateConfig,
        "evaluate",
        model=str(made["task"].path),
        teacher=str(made["finetune"].path),
        **files,
    )
    return made


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch, request):
    """Gives each test a cache of its own, except tests of real assets."""
    if "assets" not in request.keywords:
        monkeypatch.setitem(os.environ, "TINYBERT_HOME", str(tmp_path_factory.mktemp("home")))
