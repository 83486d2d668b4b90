"""What the run that made a model has learned from, which its `run.json` says."""

import dataclasses
from pathlib import Path

from tinybert_tf.data.glue import GLUE_TASKS
from tinybert_tf.data.own_files import Files
from tinybert_tf.errors import InputError
from tinybert_tf.training.run_directory import RECORD_FILE, read_record


def learned_data(model: str) -> dict:
    """Returns the settings that say which data a model's run read; {} if the model is not a run directory.

    Raises:
        InputError: The record is damaged.
    """
    folder = Path(model).expanduser()
    if not (folder / RECORD_FILE).is_file():
        return {}
    settings = read_record(folder, "model")["settings"]
    kinds = {"task": str, "glue_dir": str} | {field.name: field.type for field in dataclasses.fields(Files)}
    found = {name: settings[name] for name in kinds if name in settings}
    for name, value in found.items():
        if not isinstance(value, kinds[name]):
            raise InputError("model", f"{folder / RECORD_FILE} with {name}={value!r}", "the record of a run")
    return found


def learned_pairs(model: str) -> bool | None:
    """Returns whether a model's run read pairs of texts; None if nothing says so."""
    found = learned_data(model)
    task = GLUE_TASKS.get(found.get("task", ""))
    return bool(found.get("text_pair_column") or (task and len(task.columns) == 2)) if found else None
