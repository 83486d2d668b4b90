"""How the stages start a new student, and which texts never reach it."""

import json

import pytest

from tests.stages.conftest import QUICK, files_only, save_teacher
from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig
from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.text import key_of
from tinybert_tf.errors import InputError
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as whole_recipe
from tinybert_tf.stages import common, general, masked_lm, task

SHORT = QUICK | {"max_steps": 1, "eval_sequences": 16, "sequence_length": 16, "batch_size": 32}


@pytest.fixture
def distil(plain_teacher, reviews, student_shape, tmp_path):
    """A function that runs general distillation for a step."""

    def run(name, **settings):
        given = {"teacher": str(plain_teacher), "student": student_shape, "corpus": (str(reviews / "text.txt"),)}
        given |= {"init_tokens": 400}
        return general.run(configs.GeneralConfig(output_dir=str(tmp_path / name), **(given | SHORT | settings)))

    return run


def untrained(run):
    return run.record["results"]["untrained"]["loss"]


def test_a_student_in_closed_form_starts_far_ahead_of_a_random_one(distil, monkeypatch, eagerly):
    said = []
    monkeypatch.setattr(common.logging, "info", lambda line, *values: said.append(line % values))
    losses = [untrained(distil(start, student_init=start)) for start in ("teacher", "svd", "random")]
    assert max(losses[:2]) < 0.3 * losses[2], losses
    assert sum("Closed form; the student explains" in line for line in said) == 1


def test_a_resumed_run_does_not_start_again(distil, monkeypatch, eagerly):
    run = distil("run", save_steps=1, student_init="teacher")
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(record | {"status": "running"}))
    monkeypatch.setattr(general, "start_student", lambda *_: pytest.fail("it starts again"))
    assert distil("run", save_steps=1, student_init="teacher").finished


def test_a_new_student_has_its_teachers_kind_of_positions(tokenizer):
    mpnet = EncoderConfig(12, 768, relative_position_buckets=32, num_segments=0, family="mpnet")
    for name, teacher, family in (
        ("tinybert_4l_312", mpnet, "mpnet"),
        ("tinybert_4l_312_4h", mpnet, "bert"),  # the teacher's bias is one per head
        ("tinybert_4l_312", EncoderConfig(12, 768), "bert"),
        ("tinybert_4l_312", None, "bert"),
    ):
        config = common.shape_of(name, tokenizer, teacher).config
        expected = (32, 0) if family == "mpnet" else (0, 2)
        assert (config.family, config.relative_position_buckets, config.num_segments) == (family, *expected)
        assert (config.hidden_dim, config.vocabulary_size) == (312, len(tokenizer.vocabulary))


def test_an_mpnet_makes_a_student_of_its_kind(distil, tmp_path, eagerly):
    shape = {"num_segments": 0, "relative_position_buckets": 32, "family": "mpnet"}
    teacher = str(save_teacher(tmp_path / "mpnet", 2, **shape))
    runs = [distil(start, teacher=teacher, student_init=start) for start in ("teacher", "random")]
    assert untrained(runs[0]) < 0.3 * untrained(runs[1])
    assert json.loads((runs[0].path / "model" / "config.json").read_text())["model_type"] == "mpnet"


def test_a_student_wider_than_its_teacher_needs_another_start(distil, plain_classifier, files, monkeypatch, tmp_path):
    wide = EncoderConfig(num_layers=1, hidden_dim=36, intermediate_dim=24, max_sequence_length=64)
    monkeypatch.setitem(STUDENT_PRESETS, "wide", wide)
    expected = "student_init: got teacher, for a student of width 36; expected svd or random.*only 24 wide"
    with pytest.raises(InputError, match=expected):
        distil("general", student="wide")
    teacher, out = str(plain_classifier), tmp_path / "task"
    with pytest.raises(InputError, match=expected):
        task.run(configs.TaskConfig(output_dir=str(out), teacher=teacher, student="wide", **files, **QUICK))
    assert not out.exists() and not (tmp_path / "general").exists()


def test_texts_that_are_evaluated_on_stay_out(distil, plain_teacher, reviews, tmp_path, eagerly):
    documents = (reviews / "text.txt").read_text().split("\n\n")
    (tmp_path / "dev.txt").write_text("\n".join(text.upper() + "!" for text in documents[:50]))
    out = {key_of(text) for text in documents[:50]}
    without = (str(tmp_path / "dev.txt"),)
    assert distil("general", without=without).record["results"]["left_out"] == len(out)
    settings = SHORT | {"corpus": (str(reviews / "text.txt"),), "without": without, "model": str(plain_teacher)}
    run = masked_lm.run(configs.MaskedLMConfig(output_dir=str(tmp_path / "masked_lm"), **settings))
    assert run.record["results"]["left_out"] == len(out)


def test_the_whole_recipe_of_a_small_task_has_three_steps(plain_classifier, files, student_shape, tmp_path, eagerly):
    """Given a fine-tuned teacher it has two; the evaluation's texts are on record."""
    config = configs.AllConfig(
        output_dir=str(tmp_path / "all"),
        teacher=str(plain_classifier),
        student=student_shape,
        max_steps=1,
        batch_size=64,
        deterministic=False,
        **files,
    )
    folder = whole_recipe.run(config)
    assert {path.name for path in folder.path.iterdir() if path.is_dir()} == {"student", "evaluation"}
    own = load_task(**files_only(files))
    lines = (folder.path / "evaluation_texts.txt").read_text().splitlines()
    assert sorted(lines) == sorted(own.splits["dev"].texts + own.splits["test"].texts)
