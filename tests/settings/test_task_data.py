"""The settings of the stages that read a task's examples."""

import dataclasses

import pytest

from tinybert_tf.data.tasks import Files
from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import AllConfig, PredictConfig, TaskConfig
from tinybert_tf.settings.task_data import TaskData


def test_the_flags_of_own_files_are_those_of_load_task():
    config, own = TaskData(), Files()
    assert config.files == own and not own
    config = dataclasses.replace(config, test_file="t.csv", label_column="stars", regression=True)
    assert config.files == Files(test_file="t.csv", label_column="stars", regression=True) and config.files


@pytest.mark.parametrize(
    "flags",
    [
        {"label_column": "stars"},
        {"regression": True},
        {"task": "sst2", "label_separator": "|"},
        {"text_column": "review"},
    ],
)
def test_columns_without_a_file_are_refused(flags):
    name = [*flags][-1]
    with pytest.raises(InputError, match=f"^{name}: got .*; expected a --train_file, --dev_file or --test_file that"):
        TaskData(**flags)


def test_unlabelled_texts_have_columns_too():
    assert TaskConfig(text_column="review", unlabeled_file=("more.csv",)).text_column == "review"


def test_originals_have_a_share_of_augmented_texts_alone():
    with pytest.raises(InputError, match=r"^original_share: got 0\.5; expected none without --augmented"):
        TaskConfig(original_share=0.5)


@pytest.mark.parametrize("config", [TaskConfig, AllConfig])
def test_a_seed_has_32_bits(config):
    with pytest.raises(InputError, match=r"^seed: got 20251127123456; expected a number from 0 to 4294967295"):
        config(seed=20251127123456)


@pytest.mark.parametrize("name", ["text", "question"])
def test_a_text_that_is_not_utf8_is_refused(name):
    with pytest.raises(InputError, match=rf"^{name}: got .*udcff.*; expected text in UTF-8"):
        PredictConfig(**{name: "caf\udcff"})
