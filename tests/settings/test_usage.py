"""The help: short lines, groups in order, and defaults by their meaning."""

import dataclasses
import re

import pytest

from tinybert_tf.data.tasks import TASK_NAMES
from tinybert_tf.settings.recipes import recipe_default, recipe_for
from tinybert_tf.settings.stages import STAGES
from tinybert_tf.settings.usage import usage


def defaults(stage):
    """Returns each flag's default as the help shows it, in its order; a long one continues on the next line."""
    text = re.sub(r"\n {10}(?=\S)", " ", usage(stage))
    return dict(re.findall(r"^  --(\w+)  default: (.+)$", text, re.MULTILINE))


def test_the_stage_to_start_with_comes_first():
    lines = [line for line in usage(None).splitlines() if re.match(r"  \w+ {2,}\w", line)]
    assert [line.split()[0] for line in lines] == list(STAGES)
    assert lines[0].startswith("  all         Start here: ")
    assert all("Start here" not in line for line in lines[1:])


def test_the_short_command_is_named():
    assert "`tinybert` is short for `python -m tinybert_tf.main`" in usage(None)


@pytest.mark.parametrize("stage", [None, *STAGES])
def test_a_line_fits_100_columns(stage):
    assert max(map(len, usage(stage).splitlines())) <= 100


@pytest.mark.parametrize("stage", STAGES)
def test_every_flag_is_there_once_with_its_default(stage):
    assert sorted(defaults(stage)) == sorted(field.name for field in dataclasses.fields(STAGES[stage]))
    assert usage(stage).count("  --") == len(defaults(stage))
    assert not {"", "0", "True", "False"} & set(defaults(stage).values())
    assert "update" not in usage(stage)


def test_the_flags_of_task_are_grouped_and_the_needed_ones_come_first():
    groups = re.split(r"^(\w+)$", usage("task"), flags=re.MULTILINE)
    assert groups[1::2] == ["Data", "Model", "Distillation", "Training", "Run"]
    flags = {name: re.findall(r"^  --(\w+)", text, re.MULTILINE) for name, text in zip(groups[1::2], groups[2::2])}
    assert flags["Data"][:2] == ["task", "train_file"]
    assert flags["Model"] == ["teacher", "student"]
    assert flags["Distillation"][0] == "phase"
    assert flags["Training"][:4] == ["epochs", "max_steps", "learning_rate", "batch_size"]
    assert {"save_steps", "seed", "output_dir"} <= set(flags["Run"])


def test_a_default_is_shown_as_what_it_stands_for():
    shown = defaults("task")
    assert shown["learning_rate"] == "the task's recipe (GLUE: 5e-5; other tasks and your own files: 3e-4)"
    assert shown["epochs"] == "the task's recipe (GLUE: 10 to 50; other tasks and your own files: 10; SQuAD: 3)"
    assert (
        shown["max_steps"] == "the task's recipe (GLUE: no limit; other tasks and your own files: 900; SQuAD: no limit)"
    )
    assert shown["sequence_length"] == "the task's recipe (64 or 128; SQuAD: 384)"
    assert shown["task"] == "movie_reviews, if no file is given"
    assert shown["deterministic"] == "true" and shown["train_file"] == "none"
    assert defaults("general")["learning_rate"] == "1e-3" and defaults("export")["variants"] == "int8"


def test_what_the_help_says_of_recipes_is_what_they_hold():
    lengths = {recipe_for(task).sequence_length for task in [*TASK_NAMES, "files"] if task != "ax"}
    assert (
        recipe_default("sequence_length") == f"the task's recipe ({' or '.join(map(str, sorted(lengths)))}; SQuAD: 384)"
    )


def test_help_of_a_flag_says_what_fits():
    text = " ".join(usage("task").split())
    assert "--batch_size default: 32 Sequences per step. 1 or more." in text
    assert "Dropout of the student in training. A number from 0 to below 1." in text
    assert "Choices: teacher (from the teacher's), own (as they are)." in text
    assert "Number format of the computation. One of float32, mixed_bfloat16, mixed_float16." in text
