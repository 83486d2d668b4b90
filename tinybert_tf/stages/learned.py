"""What the run that made a model has learned from, which its `run.json` says."""

import dataclasses

from tinybert_tf.data.glue import GLUE_TASKS
from tinybert_tf.data.own_files import Files
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of
from tinybert_tf.kinds import kind_of
from tinybert_tf.settings.stages import TaskConfig
from tinybert_tf.settings.task_data import TaskData
from tinybert_tf.training.run_directory import RECORD_FILE, read_record

LEARNED = "learned"  # a result of runs that change a model and teach it nothing: what its own run has read


def learned_data(model: str) -> dict:
    """Returns the settings that say which data a model's run read; {} if the model is not a run directory.

    A model whose vocabulary was cut has learned what the whole one has.

    Raises:
        InputError: The record is damaged.
    """
    folder = path_of(model)
    if not (folder / RECORD_FILE).is_file():
        return {}
    record = read_record(folder, "model")
    settings = record.get("results", {}).get(LEARNED, record["settings"])
    kinds = {"task": str, "glue_dir": str} | {field.name: field.type for field in dataclasses.fields(Files)}
    found = {name: settings[name] for name in kinds if name in settings}
    for name, value in found.items():
        if not isinstance(value, kinds[name]):
            raise InputError("model", f"{folder / RECORD_FILE} with {name}={value!r}", "the record of a run")
    if not any(found.get(f"{split}_file") for split in ("train", "dev", "test")):
        found = {name: found[name] for name in ("task", "glue_dir") if name in found}  # columns of further texts
    return found


def learned_texts(model: str, argument: str) -> list[str]:
    """Returns the training texts of the run that made a model, each once.

    Args:
        model: Name of the model.
        argument: Name of the argument that would name texts, which errors blame.

    Raises:
        InputError: The model is not a run directory, or its texts cannot be read.
    """
    data = learned_data(model)
    if not data:
        raise InputError(argument, "nothing", f"texts, because {model} is no run that has learned a task")
    try:
        answers = tuple(read_record(path_of(model), "model")["settings"].get("teacher_predictions", ()))
        settings = TaskConfig(**data, teacher_predictions=answers) if answers else TaskData(**data)
        kind = kind_of(settings)(settings)
        columns = kind.columns(kind.task.split("train"))
    except InputError as error:
        raise InputError(argument, f"nothing, and {model}'s own cannot be read ({error})", "texts") from None
    return list(dict.fromkeys(text for column in columns for text in column or ()))


def learned_pairs(model: str) -> bool | None:
    """Returns whether a model's run read pairs of texts; None if nothing says so."""
    found = learned_data(model)
    task = GLUE_TASKS.get(found.get("task", ""))
    return bool(found.get("text_pair_column") or (task and len(task.columns) == 2)) if found else None
