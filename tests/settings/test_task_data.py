"""The settings of the stages that read a task's examples."""

import dataclasses

from tinybert_tf.data.tasks import Files
from tinybert_tf.settings.task_data import TaskData


def test_the_flags_of_own_files_are_those_of_load_task():
    config, own = TaskData(), Files()
    assert config.files == own and not own
    config = dataclasses.replace(config, test_file="t.csv", label_column="stars", regression=True)
    assert config.files == Files(test_file="t.csv", label_column="stars", regression=True) and config.files
