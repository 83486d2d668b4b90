"""The whole recipe in one command, on tiny models."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from tests.stages.conftest import files_only
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as whole_recipe
from tinybert_tf.stages.task import recipe_of


@pytest.mark.usefixtures("eagerly")
def test_the_whole_recipe_skips_what_is_there(plain_teacher, reviews, files, student_shape, tmp_path):
    corpus, train = shutil.copy(reviews / "text.txt", tmp_path), tmp_path / "train.csv"
    train.write_text("\n".join((reviews / "train.csv").read_text().splitlines()[:49]))
    losses = {"layer_map": "top", "attention_weight": (0.0,), "relation_weight": (0.01,), "relation_heads": 6}
    config = configs.AllConfig(
        output_dir=str(tmp_path / "all"),
        teacher=str(plain_teacher),
        student=student_shape,
        **losses,
        corpus=(corpus,),
        vectors="",
        general_steps=4,
        augment=True,
        num_variants=2,
        layer_cache=str(tmp_path / "layers"),
        max_steps=2,
        batch_size=32,
        deterministic=False,
        **files | {"train_file": str(train), "sequence_length": 0},
    )
    folder = whole_recipe.run(config)
    text = whole_recipe.summary(folder)
    assert "kept" in text and "x less" in text and "GFLOP" in text
    made = {path.name for path in folder.path.iterdir() if path.is_dir()}
    assert made == {"teacher", "general", "masked_lm", "augment", "student", "evaluation"}
    assert len([*(tmp_path / "layers").iterdir()]) == 1
    record = json.loads((folder.path / "student" / "run.json").read_text())
    assert record["settings"]["max_steps"] == 2 and record["settings"]["epochs"] == 10  # a cap on the recipe's passes
    for stage in ("general", "student"):
        settings = json.loads((folder.path / stage / "run.json").read_text())["settings"]
        assert json.loads(json.dumps(losses)).items() <= settings.items()
    record = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps(record | {"status": "running"}))
    student = folder.path / "student" / "model" / "model.safetensors"
    before = student.stat().st_mtime_ns
    again = whole_recipe.run(config)
    assert again.finished and student.stat().st_mtime_ns == before
    assert again.record["results"]["seconds"] == {} and "Time" not in whole_recipe.summary(again)  # nothing was done
    # A run may be moved, and named by another path.
    moved = folder.path.rename(tmp_path / "renamed")
    config = dataclasses.replace(config, output_dir=f"{moved.parent}/./{moved.name}")
    assert whole_recipe.run(config).record["results"]["seconds"] == {}
    (tmp_path / "text.txt").write_text("Another corpus than the one that was read.\n" * 40)
    with pytest.raises(InputError, match="corpus"):
        whole_recipe.run(config)


@pytest.mark.parametrize(
    "flags, argument",
    [
        ({"student": "no/such/student"}, "student"),
        ({"student": "tinybert_4l_768"}, "student_init"),  # wider than the teacher
        ({"hidden_weight": (1.0, 2.0, 3.0)}, "hidden_weight"),  # of a student of one layer
        ({"layer_map": "3"}, "layer_map"),  # of a teacher of two
        ({"embedding_weight": 0.0, "hidden_weight": (0.0,), "attention_weight": (0.0,)}, "attention_weight"),
        ({"relation_weight": (1.0,), "relation_heads": 5}, "relation_heads"),
        ({"masked_lm": "no/such/model", "augment": True}, "masked_lm"),
        ({"vectors": "no/such/vectors.txt", "augment": True}, "vectors"),
        ({"corpus": ("no/such/text.txt",)}, "corpus"),
        ({"sequence_length": 65}, "sequence_length"),
        ({"metric": "mae"}, "metric"),
        ({"layer_cache": __file__}, "layer_cache"),
        ({"num_variants": 3}, "num_variants"),  # without --augment
        ({"class_weights": ("splendid=2",)}, "class_weights"),
        ({"teacher_labels": ("good", "bad")}, "teacher_labels"),  # of a teacher that has no classes yet
    ],
)
def test_what_a_later_step_refuses_is_refused_first(plain_teacher, files, student_shape, tmp_path, flags, argument):
    options = {"output_dir": str(tmp_path / "all"), "teacher": str(plain_teacher), "student": student_shape}
    with pytest.raises(InputError) as error:
        whole_recipe.run(configs.AllConfig(**options | files | flags))
    assert error.value.argument == argument
    assert not (tmp_path / "all").exists()


def test_records_are_refused_because_no_text_can_be_left_out_of_them(plain_teacher, files, student_shape, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.json").write_text('{"version": 1, "tokenizer": {}, "shards": []}')
    options = {"output_dir": str(tmp_path / "all"), "teacher": str(plain_teacher), "student": student_shape}
    with pytest.raises(InputError, match=r"corpus: got .* which holds records; expected text, of which"):
        whole_recipe.run(configs.AllConfig(**options | files, corpus=(str(tmp_path / "records"),)))
    assert not (tmp_path / "all").exists()


def test_a_teacher_of_other_classes_is_refused_first_unless_they_are_named(
    shallow_teacher, files, student_shape, tmp_path, eagerly
):
    teacher = BertClassifier(BertEncoder.from_preset(shallow_teacher), ["schlecht", "gut"])
    teacher.save_to_preset(tmp_path / "teacher")
    options = {"output_dir": str(tmp_path / "all"), "teacher": str(tmp_path / "teacher"), "student": student_shape}
    options |= {"max_steps": 1, "batch_size": 64, "deterministic": False, **files}
    for flags, argument in (
        ({}, "teacher"),
        ({"teacher_labels": ("bad", "best")}, "teacher_labels"),
        ({"label_separator": "|", "teacher_labels": ("bad", "good")}, "teacher"),
        ({"teacher_labels": ("bad", "good"), "class_weights": ("balanced",)}, "class_weights"),
    ):
        with pytest.raises(InputError) as error:
            whole_recipe.run(configs.AllConfig(**options | flags))
        assert error.value.argument == argument and not (tmp_path / "all").exists()
    folder = whole_recipe.run(configs.AllConfig(**options, teacher_labels=("bad", "good"), metric="macro_f1"))
    student = BertClassifier.from_preset(str(folder.path / "student"))
    assert student.labels == ["bad", "good"]
    record = json.loads((folder.path / "student" / "run.json").read_text())
    assert record["settings"]["metric"] == "macro_f1"


def test_numbers_and_their_error_go_through_the_whole_recipe(shallow_teacher, student_shape, tmp_path, eagerly):
    """The student's answers are in the unit of the labels from the start: its head is cut out of the teacher's."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 7, 120).tolist()
    rows = [{"text": " ".join(["good"] * n + ["film"] * (6 - n)), "label": 500.0 + 10 * n} for n in counts]
    (tmp_path / "numbers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"teacher": str(shallow_teacher), "student": student_shape, "max_steps": 2, "batch_size": 64}
    files = {"train_file": str(tmp_path / "numbers.jsonl"), "sequence_length": 16, "regression": True}
    config = configs.AllConfig(output_dir=str(tmp_path / "all"), deterministic=False, **options, **files)
    folder = whole_recipe.run(config)
    values = folder.record["results"]["splits"]["dev"]
    assert 0 < values["errors"]["mae"] < 40 and 0 < values["teacher_errors"]["mae"] < 40
    assert f"{values['errors']['mae']:.4g}" in whole_recipe.summary(folder)
    student = BertClassifier.from_preset(str(folder.path / "student"))
    part = BertClassifier.from_preset(str(folder.path / "student" / "joint"))
    for ours, theirs in zip(student.weights, part.weights):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_student_of_other_heads_is_refused_first(shallow_teacher, files, models_of_other_heads, tmp_path):
    config = configs.AllConfig(
        output_dir=str(tmp_path / "all"), teacher=str(shallow_teacher), student=str(models_of_other_heads), **files
    )
    with pytest.raises(InputError, match="heads"):
        whole_recipe.run(config)
    assert not (tmp_path / "all").exists()


@pytest.mark.usefixtures("eagerly")
def test_settings_of_steps_that_have_not_begun_are_free(shallow_teacher, files, student_shape, tmp_path, monkeypatch):
    options = {"teacher": str(shallow_teacher), "batch_size": 64, "deterministic": False, "max_steps": 2}
    config = configs.AllConfig(output_dir=str(tmp_path / "all"), student=student_shape, **options, **files)
    with monkeypatch.context() as patch:
        patch.setattr(whole_recipe.task, "run", lambda config: 1 / 0)  # the machine fails after the teacher
        with pytest.raises(ZeroDivisionError):
            whole_recipe.run(config)
    again = whole_recipe.run(dataclasses.replace(config, vectors="no/such/file", augment=False))
    assert again.finished and "teacher" not in again.record["results"]["seconds"]
    with pytest.raises(InputError, match=r"teacher, a run with seed=42; expected seed=1"):
        whole_recipe.run(dataclasses.replace(config, seed=1))
    for late in ({"augment": True}, {"general_steps": 1, "augment": False}):
        with pytest.raises(InputError, match=rf"^{next(iter(late))}: got .*student, which began without"):
            whole_recipe.run(dataclasses.replace(config, **late))


@pytest.mark.parametrize(
    ("flags", "steps"),
    [
        ({}, 900),
        ({"task_steps": 5000, "mixup": 0.5}, 5000),
        ({"max_steps": 40}, 40),
        ({"task_steps": 5000, "max_steps": 40}, 40),
    ],
)
def test_steps_of_the_student_can_be_asked_for_and_capped_and_its_texts_mixed(
    shallow_teacher, files, student_shape, tmp_path, monkeypatch, flags, steps
):
    asked, teacher = [], SimpleNamespace(path=tmp_path / "teacher", was_finished=True)
    monkeypatch.setattr(whole_recipe.finetune, "run", lambda config: teacher)
    monkeypatch.setattr(whole_recipe.task, "run", lambda config: asked.append(config) or 1 / 0)
    options = {"teacher": str(shallow_teacher), "student": student_shape, "output_dir": str(tmp_path / "all")}
    with pytest.raises(ZeroDivisionError):
        whole_recipe.run(configs.AllConfig(**options, **files, **flags))
    assert recipe_of(asked[0], load_task(**files_only(files))).max_steps == steps
    assert asked[0].mixup == flags.get("mixup", 0)


def test_columns_of_further_texts_are_those_of_the_student_alone(shallow_teacher, student_shape, tmp_path, monkeypatch):
    (tmp_path / "more.csv").write_text("review\na fine film\n")
    asked = []
    for stage in (whole_recipe.finetune, whole_recipe.task, whole_recipe.evaluate):
        done = SimpleNamespace(path=tmp_path, was_finished=True, record={"results": {}})
        monkeypatch.setattr(stage, "run", lambda config, done=done: asked.append(config) or done)
    options = {"teacher": str(shallow_teacher), "student": student_shape, "output_dir": str(tmp_path / "all")}
    more = {"unlabeled_file": (str(tmp_path / "more.csv"),), "text_column": "review", "sequence_length": 16}
    whole_recipe.run(configs.AllConfig(task="movie_reviews", **options, **more))
    assert [config.text_column for config in asked] == ["text", "review", "text"]


@pytest.fixture
def models_of_other_heads(tmp_path):
    from tests.conftest import PIECES
    from tinybert_tf.models import BertEncoder, BertTokenizer

    tokenizer = BertTokenizer(PIECES, sequence_length=64)
    BertEncoder(len(PIECES), 1, 6, 12, 24, max_sequence_length=64, tokenizer=tokenizer).save_to_preset(tmp_path / "six")
    return tmp_path / "six"
