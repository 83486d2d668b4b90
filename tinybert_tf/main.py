"""Command line: `python -m tinybert_tf.main --stage=STAGE [flags]`, or `tinybert` for short.

Flags are made from the dataclasses in `settings/stages/`, one per field. Help and refusals come before
TensorFlow is imported. Exit code 0: done; 2: refused, with one line that says why; 130: interrupted; 141: the reader
of the output is gone.
"""

import dataclasses
import importlib
import os
import signal
import sys
import typing

from absl import flags, logging

from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of
from tinybert_tf.screen import stderr_held_back
from tinybert_tf.settings.fields import about
from tinybert_tf.settings.stages import STAGES
from tinybert_tf.settings.usage import usage
from tinybert_tf.training import cluster

FLAGS = flags.FLAGS
flags.DEFINE_enum("stage", None, list(STAGES), "What to do.")
flags.DEFINE_boolean("help", False, "Show the stages; with --stage, the flags of one.", short_name="h")
# One field per name, because stages give a name the same type.
_FIELDS = {field.name: field for config in STAGES.values() for field in dataclasses.fields(config)}


def _define_flags() -> None:
    """Defines one flag per name among the fields of all stages' configs; unset ones are None."""
    for name, field in _FIELDS.items():
        kind, text = field.type, about(field).help
        if kind in (bool, bool | None):
            flags.DEFINE_boolean(name, None, text)
        elif kind is int:
            flags.DEFINE_integer(name, None, text)
        elif kind in (float, float | None):
            flags.DEFINE_float(name, None, text)
        elif typing.get_origin(kind) is tuple:
            flags.DEFINE_list(name, None, text)
        else:
            flags.DEFINE_string(name, None, text)


_define_flags()
flags.DEFINE_alias("unlabelled_file", "unlabeled_file")


def parse(argv: list[str]):
    """Returns (stage, its config), or (stage or None, None) if help was asked for.

    Raises:
        InputError, flags.Error: Flags are unknown or do not fit.
    """
    rest = FLAGS(argv)[1:]
    if FLAGS.help:
        return FLAGS.stage, None
    if rest:
        raise InputError("command line", repr(rest[0]), "flags only, as --name=value")
    if FLAGS.stage is None:
        raise InputError("stage", "nothing", f"one of {', '.join(STAGES)}")
    config = STAGES[FLAGS.stage]
    return FLAGS.stage, config(**_given(config))


def _given(config) -> dict:
    """Returns a stage's settings from the command line, which may use their old names."""
    known = {field.name: field for field in dataclasses.fields(config)}
    given = {}
    for flag in _FIELDS:
        value, name = FLAGS[flag].value, config.RENAMED.get(flag, flag)
        if value is None:
            continue
        if name not in known:
            raise InputError(flag, value, f"only flags that --stage={FLAGS.stage} uses (see --help)")
        if name != flag and FLAGS[name].value is not None:
            raise InputError(flag, value, f"--{name} alone, which is its name of today")
        given[name] = _typed(known[name], value)
    return given


def _typed(field: dataclasses.Field, value):
    if typing.get_origin(field.type) is not tuple:
        return value
    item = typing.get_args(field.type)[0]
    try:
        return tuple(item(part) for part in value)
    except ValueError:
        raise InputError(field.name, ",".join(value), f"comma-separated {item.__name__}s") from None


def _prepare_environment() -> None:
    """Sets what must be set before TensorFlow is imported; the user's own settings win."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Only the newest processors have it by default; older ones are a fifth faster too (docs/results/training_speed.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        raise InputError("KERAS_BACKEND", os.environ["KERAS_BACKEND"], "tensorflow")
    logging.set_verbosity(logging.INFO)
    logging.use_absl_handler()
    logging.get_absl_handler().setFormatter(None)


def _log_devices() -> None:
    import tensorflow as tf

    # Physical ones: to list the logical ones would start TensorFlow, before it has joined the other workers.
    devices = [gpu.name.replace("physical_", "") for gpu in tf.config.list_physical_devices("GPU")]
    workers = cluster.cluster()
    of = f", worker {workers.index} of {len(workers.addresses)}" if workers else ""
    found = ", ".join(devices) or f"{os.cpu_count()} CPU cores"
    logging.info("TensorFlow %s on %s%s.", tf.__version__, found, of)


def _resumable(config) -> str:
    """Returns what is added to the message of a run that ends early."""
    begun = getattr(config, "output_dir", "") and path_of(config.output_dir).joinpath("run.json").exists()
    where = " on all workers" if cluster.cluster() else ""
    return f"; repeat the command{where} to resume" if begun else ""


def _write_any_name() -> None:
    """Lets file names and texts that are not Unicode be printed, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _outside(error: Exception) -> str | None:
    """Returns what to say about a lost worker, a full disk, missing rights or the like; None for any other error."""
    if lost := cluster.lost(error):
        return f"the connection to {lost} is lost"
    tf = sys.modules.get("tensorflow")
    names = ("ResourceExhausted", "PermissionDenied", "NotFound", "OutOfRange", "Unavailable", "DataLoss", "Unknown")
    if tf is None or not isinstance(error, tuple(getattr(tf.errors, f"{name}Error") for name in names)):
        return None
    return f"TensorFlow: {' '.join(error.message.split())[:300]}"


def main(argv: list[str] | None = None) -> int:
    """Runs a stage; returns the exit code."""
    config = None
    _write_any_name()
    try:
        stage, config = parse(sys.argv if argv is None else argv)
        if config is None:
            print(usage(stage))
            return 0
        _prepare_environment()
        workers = cluster.cluster()
        if workers and not workers.is_chief:
            logging.set_verbosity(logging.WARNING)
        with stderr_held_back():  # TensorFlow's native code prints about CPUs and missing GPUs
            module = importlib.import_module(f"tinybert_tf.stages.{stage}")
            _log_devices()
        run = module.run(config)
    except InputError as error:
        print(f"error: {'--' if error.argument in FLAGS else ''}{error}", file=sys.stderr)
        return 2
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read the output has enough: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (OSError, MemoryError) as error:
        print(f"error: {str(error) or 'out of memory'}{_resumable(config)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted{_resumable(config)}", file=sys.stderr)
        return 130
    except Exception as error:
        if (message := _outside(error)) is None:
            raise
        print(f"error: {message}{_resumable(config)}", file=sys.stderr)
        return 2
    if run is not None and (workers is None or workers.is_chief):
        if run.was_finished:
            print("This run was already finished; nothing was done.\n")
        print(module.summary(run))
    return 0


if __name__ == "__main__":
    sys.exit(main())
