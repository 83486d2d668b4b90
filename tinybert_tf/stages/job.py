"""The skeleton of a run: read the inputs, compare them with an earlier run, work in a locked folder, keep results."""

import abc
import dataclasses
import hashlib
import inspect
import json
from collections.abc import Collection

import keras
import tensorflow as tf

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import about
from tinybert_tf.settings.training import Training
from tinybert_tf.training import cluster, devices, workers
from tinybert_tf.training.run_directory import RunDirectory, digest_of


class Job(abc.ABC):
    """One run of a stage. A stage defines what it reads and what it does; `run` calls these in order.

    Inputs that cannot be used are refused before anything is written: in the constructor of the settings, in `read`,
    or in `prepare`.

    Args:
        config: The stage's settings.

    Attributes:
        stage: Name of the stage.
        free: Names of settings that may change when the run is resumed, besides names of files and models.
        folder: The run directory.
    """

    stage: str
    free: Collection[str] = ()

    def __init__(self, config):
        self.config = config
        self.folder = run_directory_of(config, self.stage, self.free)

    @abc.abstractmethod
    def read(self) -> dict[str, str]:
        """Loads the inputs; returns the digest of each by the name of its flag.

        Raises:
            InputError: An input cannot be used.
        """

    def prepare(self) -> None:  # noqa: B027, a stage may have nothing to prepare
        """Prepares the work before anything is written; a finished run skips it."""

    @abc.abstractmethod
    def work(self) -> dict:
        """Does the work in `folder`; returns the results for `run.json`."""

    def run(self) -> RunDirectory:
        """Starts or resumes the run; does nothing if it is finished and its inputs have not changed.

        Raises:
            InputError: A setting or an input cannot be used, or an input has changed; nothing is written then.
        """
        trains = isinstance(self.config, Training)
        if trains:
            if self.config.jit_compile and cluster.cluster():
                raise InputError("jit_compile", "true, on several workers", "false")
            seed_everything(self.config)
        with devices.scope(getattr(self.config, "devices", "1"), self.config.rows if trains else None):
            return self._run()

    def _run(self) -> RunDirectory:
        inputs = self.read()
        self._compare(inputs)
        if workers.from_chief(self.folder.finished_with(inputs)):
            return self.folder
        self.prepare()
        with self.folder.start(inputs):
            try:
                results = self.work()
            except InputError as error:
                if error.argument in inputs:
                    self.folder.note_unread(error.argument)
                raise
            self.folder.finish(results)
        workers.from_chief(None)  # nobody ends before the run is finished
        return self.folder

    def _compare(self, inputs: dict[str, str]) -> None:
        """Refuses settings and inputs of this worker that are not the chief's."""
        fixed = self.folder.settings.keys() - self.folder.free
        own = {name: self.folder.settings[name] for name in sorted(fixed)} | inputs
        own["devices"] = len(workers.replicas())
        chiefs = workers.from_chief(own)
        for name, value in own.items():
            if chiefs.get(name) != value:
                raise InputError(name, f"{value!r:.80}, where the chief has {chiefs.get(name)!r:.80}", "the same")

    def record_with(self, results: dict) -> dict:
        """Returns the content that `run.json` will have, for a model card."""
        return self.folder.record | {"results": results}


def seed_everything(config: Training) -> None:
    """Sets every seed, and makes ops deterministic if the settings say so."""
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def digests_of(**models) -> dict[str, str]:
    """Returns two SHA-256 of each model by its name: of its weights, and of its shape, tokenizer and labels.

    Defaults are left out, so that a setting that a later version adds does not change them.
    """
    digests = {}
    for name, model in models.items():
        said = [_without_defaults(dataclasses.asdict(model.config), type(model.config))]
        said += [model.tokenizer and _without_defaults(model.tokenizer.get_config(), type(model.tokenizer))]
        said += [getattr(model, "labels", None), getattr(model, "multi_label", False)]
        if getattr(model, "null_threshold", None) is not None:
            said.append(model.null_threshold)
        digests[name] = digest_of(model)
        digests[f"{name}'s settings"] = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return digests


def _without_defaults(settings: dict, kind: type) -> dict:
    parameters = inspect.signature(kind).parameters
    return {name: value for name, value in settings.items() if value != parameters[name].default}


def run_directory_of(config, stage: str, free: Collection[str] = ()) -> RunDirectory:
    """Returns the run directory of a stage's settings.

    Args:
        config: The settings.
        stage: Name of the stage.
        free: Names of settings that may change when the run is resumed, besides names of files and models.

    Raises:
        InputError: The folder holds another run, or something else.
    """
    settings = dataclasses.asdict(config)
    for name in ("android_assets", "push_to_hub", "hub_private", "hub_licence"):  # where copies go
        settings.pop(name, None)
    folder = settings.pop("output_dir")
    fields = [field for field in dataclasses.fields(config) if field.name in settings]
    defaults = {field.name: field.default for field in fields}
    # A shape has no content that could be compared.
    places = {field.name for field in fields if about(field).place and settings[field.name] not in STUDENT_PRESETS}
    free = places.union(free, ["devices"])  # what another number of devices computes differs by rounding alone
    kind = RunDirectory if workers.is_chief() else workers.ReadOnlyRunDirectory
    return kind(folder, stage, settings, defaults, config.RENAMED, free)
