"""Units that are finished, and the inputs that they were made from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.files import json_text, read_json, write_text

_FILE = ".inputs.json"


def keep_only_from(inputs: dict[str, str], folder: Path, units: Sequence[Path]) -> None:
    """Removes finished units that were made from other inputs, and notes these inputs.

    A run that stopped at a bad line resumes with a mended file. Where files are cut into units depends on all of them,
    so units from before and after the mend do not fit together: texts would be lost, or be there twice.

    Args:
        inputs: SHA-256 of each input of the run, by name.
        folder: Folder of the note.
        units: All files and folders of units, whether they exist or not; the folder of the note may be the last.
    """
    file = folder / _FILE
    if file.exists() and read_json(file, "output_dir") == inputs:
        return
    for unit in units:
        if unit.is_dir():
            shutil.rmtree(unit)
        else:
            unit.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    write_text(file, json_text(inputs))  # not earlier: a run that is killed before this removes the units again
