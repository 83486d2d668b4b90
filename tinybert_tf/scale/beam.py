"""Apache Beam: imported only where it is needed, and its errors in one line."""

import contextlib
import importlib
import io
import logging
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from tinybert_tf.errors import InputError
from tinybert_tf.screen import stderr_held_back

_EXTRA = "pip install 'tinybert-tf[scale]', best in an environment of its own: Beam needs protobuf 6"
_RUNNERS = "DirectRunner, DataflowRunner, FlinkRunner or SparkRunner"
# A worker's error, as it is written in the text of the runner's own.
_INPUT_ERROR = re.compile(r"InputError: (\w+): got (.*?); expected (.*?)(?: \[while running .*)?$", re.MULTILINE)
# A full disk or missing rights: an error with a number, or NumPy's, which has none.
_OS_ERROR = re.compile(r"(?:OSError: |Error: (?=\[Errno ))(.*?) \[while running ")


class Inference(Protocol):
    """A model's work on units; a worker gets a copy, and loads the model once."""

    def read(self, number: int) -> Any:
        """Returns the texts of a unit."""

    def load(self) -> Any:
        """Returns the model."""

    def answer(self, model: Any, texts: Any) -> Any:
        """Returns the model's answers to the texts of a unit."""

    def write(self, number: int, answers: Any) -> None:
        """Writes the answers to a unit, whole or not at all."""


class Engine:
    """A runner of Beam that does units of work.

    Args:
        runner: Name of the runner.
        options: Further options of the pipeline, as on a command line.

    Raises:
        InputError: Beam is not installed, or does not know the runner or an option.
    """

    def __init__(self, runner: str, options: str = ""):
        self.beam = _imported("apache_beam", runner)
        self._options = self._options_of(runner, options)

    def run(self, stages: Sequence[tuple[str, Callable[[int], None], Sequence[int]]]) -> None:
        """Does units of work, those of a stage after all of the stages before it, and waits for the end.

        Args:
            stages: Name, function of a unit's number, and numbers of the units of each stage.

        Raises:
            InputError: A unit raised it, or the pipeline was stopped.
            OSError: A unit raised it.
        """
        beam, before = self.beam, None
        pipeline = beam.Pipeline(options=self._options)
        for name, work, units in stages:
            after = {} if before is None else {"before": beam.pvalue.AsSingleton(before)}
            before = (
                pipeline
                | f"{name}: units" >> beam.Create(list(units))
                | f"{name}: spread" >> beam.Reshuffle()
                | f"{name}: work" >> beam.Map(_Unit(work), **after)
                | f"{name}: all" >> beam.combiners.Count.Globally()
            )
        self._finish(pipeline)

    def infer(self, name: str, job: Inference, units: Sequence[int]) -> None:
        """Lets a model answer units of work, through Beam's `RunInference`; raises what `run` raises.

        Args:
            name: Name of the work.
            job: What is read, answered and written.
            units: Numbers of the units.
        """
        beam, base = self.beam, _imported("apache_beam.ml.inference.base", "RunInference")
        pipeline = beam.Pipeline(options=self._options)
        _ = (
            pipeline
            | f"{name}: units" >> beam.Create(list(units))
            | f"{name}: spread" >> beam.Reshuffle()
            | f"{name}: read" >> beam.Map(lambda number: (number, job.read(number)))
            | f"{name}: answer" >> base.RunInference(_handler(base, job))
            | f"{name}: write" >> beam.MapTuple(job.write)
        )
        self._finish(pipeline)

    def _finish(self, pipeline) -> None:
        try:
            with _quiet("apache_beam"), self._processes_held_back():
                state = pipeline.run().wait_until_finish()
        except Exception as error:
            if (workers := _error_of_worker(error)) is None:
                raise
            raise workers from None
        if state != self.beam.runners.runner.PipelineState.DONE:  # such as a job that someone cancelled
            raise InputError("runner", f"a pipeline that ended as {state}", "the command to be repeated, to resume")

    def _processes_held_back(self) -> contextlib.AbstractContextManager:
        """Hides what TensorFlow and Beam print in each worker process of this machine, unless the pipeline fails."""
        module = _imported("apache_beam.options.pipeline_options", "DirectRunner")
        mode = self._options.view_as(module.DirectOptions).direct_running_mode
        return stderr_held_back(_is_unknown) if mode == "multi_processing" else contextlib.nullcontext()

    def _options_of(self, runner: str, options: str):
        module = _imported("apache_beam.options.pipeline_options", runner)
        with _refused("runner", repr(runner), _RUNNERS):
            self.beam.runners.runner.create_runner(runner)
        expected = "options of Beam, as --name=value"
        with _refused("pipeline_options", repr(options), expected):
            given = shlex.split(options)
            made = module.PipelineOptions(given, runner=runner)
            known, all_names = made.get_all_options(), made.get_all_options(retain_unknown_options=True)
        unknown = [part for part in given if not part.startswith("--")]
        if "direct" in runner.lower():
            # Python does not know all options of other runners.
            unknown += [f"--{name}" for name in sorted(all_names.keys() - known.keys())]
            # Else it would download Prism, an executable, and run it. No pipeline here has triggers, unsafe or not.
            made.view_as(module.TypeOptions).allow_unsafe_triggers = True
        if unknown:
            raise InputError("pipeline_options", unknown[0], expected)
        workers = made.view_as(module.WorkerOptions)
        workers.default_sdk_harness_log_level = workers.default_sdk_harness_log_level or "ERROR"
        return made


def _handler(base, job: Inference):
    """Returns Beam's handler of a model for a job. A unit is a batch: within it, its job has batches by length."""

    class Handler(base.ModelHandler):
        def __init__(self):
            super().__init__(min_batch_size=1, max_batch_size=1)

        def load_model(self):
            return job.load()

        def run_inference(self, batch, model, inference_args=None):
            return [(number, job.answer(model, rows)) for number, rows in batch]

        def get_num_bytes(self, batch):
            return 0  # Beam would pickle all texts to count them

    return Handler()


class _Unit:
    """A unit's work as a function of its number; the number of units that had to be done before is not needed."""

    def __init__(self, work: Callable[[int], None]):
        self.work = work

    def __call__(self, number: int, before: int = 0) -> int:
        self.work(number)
        return number


def _error_of_worker(error: BaseException) -> InputError | OSError | None:
    """Returns the error of a worker that the runner's error tells of, if it is one line for users."""
    text = f"{type(error).__name__}: {error}"
    if found := _INPUT_ERROR.search(text):
        return InputError(*found.groups())
    found = _OS_ERROR.search(text)
    return OSError(found[1]) if found else None


def _is_unknown(error: BaseException) -> bool:
    return _error_of_worker(error) is None


def _imported(module: str, runner: str):
    try:
        with _quiet():
            return importlib.import_module(module)
    except ImportError as error:
        raise InputError("runner", f"{runner!r} without apache_beam ({error})", _EXTRA) from None


@contextlib.contextmanager
def _refused(argument: str, got: str, expected: str) -> Iterator[None]:
    """Says in one line what Beam, or Python's parser of options, raises for a value that it does not take."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _quiet():
            yield
    except (Exception, SystemExit) as error:
        reason = (said.getvalue().strip().splitlines() or [str(error)])[-1]
        raise InputError(argument, f"{got} ({' '.join(reason.split())[:150]})", expected) from None


@contextlib.contextmanager
def _quiet(name: str | None = None) -> Iterator[None]:
    """Keeps what Beam says of its own parts out of the log; its import says some of it by the root logger."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
