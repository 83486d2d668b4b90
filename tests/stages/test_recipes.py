"""How long a teacher and its student learn: the recipe of each task."""

import pytest

from tests.stages.conftest import files_only
from tinybert_tf.data.tasks import load_task
from tinybert_tf.settings import stages as configs
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.stages.finetune import _Finetune
from tinybert_tf.stages.task import recipe_of


@pytest.mark.parametrize(
    "task, examples, passes",
    [("files", 7479, 3), ("files", 3200, 3), ("files", 300, 30), ("files", 5, 300), ("rte", 2490, 4), ("squad", 50, 3)],
)
def test_few_examples_are_passed_over_more_often(task, examples, passes):
    assert recipe_for(task).passes(3, examples, 32) == passes


@pytest.mark.parametrize("given, epochs", [({}, 50), ({"epochs": 2}, 2), ({"max_steps": 7}, 0)])
def test_the_passes_of_a_teacher_are_on_record(plain_classifier, files, tmp_path, given, epochs):
    """Six batches."""
    config = configs.FinetuneConfig(model=str(plain_classifier), output_dir=str(tmp_path / "run"), **files, **given)
    job = _Finetune(config)
    job.read()
    assert job.config.epochs == job.folder.settings["epochs"] == epochs


@pytest.mark.parametrize(
    "given, fewest", [({}, 300), ({"max_steps": 7}, 300), ({"epochs": 2}, 0), ({"prediction_epochs": 2}, 0)]
)
def test_passes_that_are_asked_for_are_what_a_student_gets(files, given, fewest):
    task = load_task(**files_only(files))
    assert recipe_of(configs.TaskConfig(**files, **given), task).fewest_steps == fewest
