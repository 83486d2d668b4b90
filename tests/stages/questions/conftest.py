"""Questions, a tiny teacher that has learned to answer them, and a student of it."""

import json

import keras
import numpy as np
import pytest

from tests.conftest import PIECES, WORDS
from tinybert_tf.models import BertEncoder, BertTokenizer
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import finetune, task

TINY = {"deterministic": False, "batch_size": 8, "sequence_length": 24, "eval_steps": 60, "save_steps": 60}
PLAIN = [word for word in WORDS if word not in ("fine", "film")]


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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
