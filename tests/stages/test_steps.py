"""How many steps teachers and students take: passes, and at least the recipe's steps where texts are few."""

import pytest

from tests.stages.conftest import files_only
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.settings import stages as configs
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.stages.finetune import _Finetune
from tinybert_tf.stages.task import _TaskDistillation, recipe_of


@pytest.mark.parametrize(
    "given, steps",
    [
        ({}, 300),
        ({"min_steps": 1}, 17),  # three passes over 180 texts, in batches of 32 that know no end of a pass
        ({"epochs": 100}, 563),
        ({"max_steps": 7}, 7),
        ({"epochs": 0, "max_steps": 400}, 400),
    ],
)
def test_steps_of_a_teacher(plain_classifier, files, tmp_path, given, steps):
    config = configs.FinetuneConfig(model=str(plain_classifier), output_dir=str(tmp_path / "run"), **files, **given)
    job = _Finetune(config)
    job.read()
    job.prepare()
    assert job.max_steps == steps


@pytest.mark.parametrize(
    "given, joint, prediction",
    [
        ({}, 300, 300),
        ({"min_steps": 1}, 57, 17),
        ({"phase": "two", "epochs": 2, "prediction_epochs": 1}, 300, 300),
        ({"phase": "two", "epochs": 2, "prediction_epochs": 1, "min_steps": 20}, 20, 20),
        ({"max_steps": 9}, 9, 9),
    ],
)
def test_steps_of_a_student(runs, plain_classifier, files, tmp_path, given, joint, prediction):
    folders = {"teacher": str(runs["finetune"].path), "student": str(plain_classifier)}
    job = _TaskDistillation(configs.TaskConfig(**folders, output_dir=str(tmp_path / "run"), **files, **given))
    job.read()
    assert [job._data(phase)[1] for phase in ("joint", "prediction")] == [joint, prediction]


def test_questions_have_no_fewest_steps(files):
    assert recipe_for("squad").min_steps == recipe_for("squad_v2").min_steps == 0
    task = load_task(**files_only(files))
    assert recipe_of(configs.TaskConfig(**files), task).min_steps == recipe_for("mrpc").min_steps == 300


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            {"phase": "prediction", "epochs": 5},
            "epochs: got 5; .*: --phase=prediction has --prediction_epochs",
        ),
        ({"phase": "prediction", "learning_rate": 1e-3}, "learning_rate: got 0.001; expected none"),
        (
            {"phase": "joint", "prediction_epochs": 5},
            "prediction_epochs: got 5; .*: --phase=joint has --epochs",
        ),
        ({"phase": "intermediate", "prediction_learning_rate": 1e-3}, "prediction_learning_rate: got 0.001"),
    ],
)
def test_a_length_that_no_phase_has_is_refused(files, flags, message):
    with pytest.raises(InputError, match=f"^{message}"):
        recipe_of(configs.TaskConfig(**files, **flags), load_task(**files_only(files)))
