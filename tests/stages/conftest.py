"""A tiny teacher and tiny labelled files: good films and bad ones."""

import csv
import importlib
import json
import os

import numpy as np
import pytest

from tests.conftest import PIECES, WORDS

GOOD, BAD = ["good", "fine"], ["bad", "dull"]
QUICK = {"deterministic": False, "save_steps": 50, "eval_steps": 25, "batch_size": 16}
ODD_LINES = "a good\u2028film\x85indeed"  # one line: only a newline ends one


@pytest.fixture(autouse=True)
def quick_reports(request, monkeypatch):
    """Evaluations convert no models for their reports, unless a test asks for `whole_report`."""
    if "whole_report" not in request.fixturenames:
        monkeypatch.setattr("tinybert_tf.stages.evaluate.measured_files", lambda *args: {})


@pytest.fixture(autouse=True)
def few_batches(monkeypatch):
    """A student's head is solved on 3 batches, not 30: a task of fewer is read again until there are as many."""
    monkeypatch.setattr("tinybert_tf.stages.task._INIT_BATCHES", 3)


@pytest.fixture
def whole_report():
    """The report measures LiteRT files too, as it does by default."""


@pytest.fixture(scope="session")
def plain_teacher(tmp_path_factory):
    """The folder of a random BERT of 2 layers and 12 heads."""
    return save_teacher(tmp_path_factory.mktemp("teacher") / "plain", 2)


@pytest.fixture(scope="session")
def shallow_teacher(tmp_path_factory):
    """The same with 1 layer, for tests that train anew: its step is traced sooner."""
    return save_teacher(tmp_path_factory.mktemp("teacher") / "shallow", 1)


def save_teacher(folder, layers, **shape):
    import keras

    from tinybert_tf.models import BertEncoder, BertTokenizer

    keras.utils.set_random_seed(0)
    encoder = BertEncoder(len(PIECES), layers, 12, 24, 48, max_sequence_length=64, **shape)
    encoder.tokenizer = BertTokenizer(PIECES, sequence_length=64)
    encoder.save_to_preset(folder)
    return folder


@pytest.fixture(scope="session")
def plain_classifier(plain_teacher, tmp_path_factory):
    """The folder of a classifier of good and bad that has learned nothing: enough where answers do not matter."""
    from tinybert_tf.models import BertClassifier, BertEncoder

    folder = tmp_path_factory.mktemp("classifier") / "plain"
    BertClassifier(BertEncoder.from_preset(plain_teacher), ["bad", "good"]).save_to_preset(folder)
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
    """A shape of one layer under a name, for a process of its own too."""
    from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig

    STUDENT_PRESETS["tiny"] = EncoderConfig(num_layers=1, hidden_dim=12, intermediate_dim=24, max_sequence_length=64)
    yield "tiny"
    del STUDENT_PRESETS["tiny"]


@pytest.fixture(scope="session")
def files(reviews):
    return {"train_file": str(reviews / "train.csv"), "test_file": str(reviews / "test.csv"), "sequence_length": 16}


def files_only(files):
    """The files alone: what `load_task` takes."""
    return {name: path for name, path in files.items() if name.endswith("file")}


# The settings of every stage's run, and the settings that name another stage's run.
OPTIONS = {
    "finetune": QUICK | {"epochs": 12, "min_steps": 1, "learning_rate": 3e-3},
    "masked_lm": QUICK | {"max_steps": 60, "learning_rate": 3e-3, "eval_sequences": 8, "sequence_length": 16},
    "augment": {"vectors": "", "num_variants": 5, "num_candidates": 4},
    "task": QUICK
    | {"phase": "two", "max_steps": 80, "learning_rate": 3e-3, "student_init": "svd"}  # so that there is much to learn
    | {"prediction_max_steps": 80, "prediction_learning_rate": 3e-3},
    "evaluate": {},
}
RUNS_READ = {
    "augment": {"masked_lm": "masked_lm", "teacher": "finetune"},
    "task": {"teacher": "finetune", "augmented": "augment"},
    "evaluate": {"model": "task", "teacher": "finetune"},
}


class Runs(dict):
    """Finished runs by their stages' names; each is made when it is first asked for."""

    def __init__(self, base, inputs):
        self.base, self.inputs = base, inputs

    def __missing__(self, stage):
        import tensorflow as tf

        from tinybert_tf.settings.stages import STAGES

        eagerly = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(False)  # they have many steps, whatever the test that asks first has
        read = {name: str(self[other].path) for name, other in RUNS_READ.get(stage, {}).items()}
        config = STAGES[stage](output_dir=str(self.base / stage), **OPTIONS[stage], **self.inputs[stage], **read)
        self[stage] = importlib.import_module(f"tinybert_tf.stages.{stage}").run(config)
        tf.config.run_functions_eagerly(eagerly)
        return self[stage]


@pytest.fixture(scope="session")
def runs(plain_teacher, reviews, files, student_shape, tmp_path_factory):
    """Every stage's finished run by name: `runs["task"]`. One worker gets all the files that share them."""
    inputs = {
        "finetune": {"model": str(plain_teacher)} | files,
        "masked_lm": {"model": str(plain_teacher), "corpus": (str(reviews / "text.txt"),)},
        "augment": files,
        "task": {"student": student_shape} | files,
        "evaluate": files,
    }
    return Runs(tmp_path_factory.mktemp("runs"), inputs)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch, request):
    """Gives each test a cache of its own, except tests of real assets."""
    if "assets" not in request.keywords:
        monkeypatch.setitem(os.environ, "TINYBERT_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def student(make_classifier, reviews, tmp_path):
    """A run directory of a student that learned the tiny reviews."""
    run = tmp_path / "student"
    make_classifier(labels=["bad", "good"], num_layers=1).save_to_preset(run / "model")
    settings = {"train_file": str(reviews / "train.csv"), "test_file": str(reviews / "test.csv"), "sequence_length": 8}
    record = {"stage": "task", "status": "finished", "settings": settings, "results": {}}
    (run / "run.json").write_text(json.dumps(record))
    return run


@pytest.fixture(scope="module")
def conversions():
    """Converts a model once per number format and length, for tests of what is around the conversion."""
    from tinybert_tf.exporters import litert
    from tinybert_tf.training.run_directory import digest_of

    made, convert = {}, litert.convert

    def once(model, *options):
        key = digest_of(model), tuple(model.labels), model.multi_label, options
        if key not in made:
            made[key] = convert(model, *options)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litert, "convert", once)
        yield
