"""The skeleton of a run: read, compare with what is there, work in a locked folder, keep the results."""

import abc
import dataclasses

import keras
import tensorflow as tf

from tinybert_tf.settings.shared import Training
from tinybert_tf.training.run_directory import RunDirectory


class Job(abc.ABC):
    """One run of a stage. A stage says what it reads and what it does; `run` calls that in order.

    Whatever cannot be used is refused while nothing has been written: in the constructor of the settings, in `read`,
    or in `prepare`.

    Args:
        config: The stage's settings.

    Attributes:
        stage: Name of the stage.
        folder: The run directory.
    """

    stage: str

    def __init__(self, config):
        self.config = config
        self.folder = run_directory_of(config, self.stage)

    @abc.abstractmethod
    def read(self) -> dict[str, str]:
        """Loads what the run reads; returns the digest of each input by the name of its flag.

        Raises:
            InputError: An input cannot be used.
        """

    def prepare(self) -> None:  # noqa: B027, a stage may have nothing to prepare
        """Does what a finished run need not do again, before anything is written."""

    @abc.abstractmethod
    def work(self) -> dict:
        """Does the work, in `folder`; returns the results that `run.json` keeps."""

    def run(self) -> RunDirectory:
        """Does the run, or resumes it, or does nothing where it is finished and its inputs are what they were.

        Raises:
            InputError: A setting or an input that cannot be used, or that is not what it was; nothing is written then.
        """
        if isinstance(self.config, Training):
            seed_everything(self.config)
        inputs = self.read()
        if self.folder.finished_with(inputs):
            return self.folder
        self.prepare()
        with self.folder.start(inputs):
            self.folder.finish(self.work())
        return self.folder

    def record_with(self, results: dict) -> dict:
        """Returns what `run.json` will hold, for a model card."""
        return self.folder.record | {"results": results}


def seed_everything(config: Training) -> None:
    """Sets every seed, and, where asked for, ops that compute the same each time."""
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def run_directory_of(config, stage: str) -> RunDirectory:
    """Returns the run directory of a stage's settings.

    Raises:
        InputError: The folder holds another run, or something else.
    """
    settings = dataclasses.asdict(config)
    settings.pop("android_assets", None)  # where copies go to: no part of the run
    folder = settings.pop("output_dir")
    defaults = {field.name: field.default for field in dataclasses.fields(config) if field.name in settings}
    return RunDirectory(folder, stage, settings, defaults, config.RENAMED)
