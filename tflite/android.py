"""The files that the Android demo reads, in the folder where its build looks for them."""

import contextlib
import os
import shutil
from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.tflite.archive import LABELS, SETTINGS, VOCABULARY

ASSETS = ("student.tflite", VOCABULARY, LABELS, SETTINGS)  # the settings last: without them there is no model


def copy_to_assets(export: Path, folder: str | os.PathLike) -> None:
    """Copies an exported student to an app's assets; other files in the folder stay.

    The app and its build know a model by its settings. These are removed first and written last, so that an
    interrupted copy is not taken for a model.

    Args:
        export: The folder that `--stage=export` wrote.
        folder: An app's `src/main/assets`; made if it is missing.

    Raises:
        InputError: The folder cannot be written.
    """
    folder = Path(folder).expanduser()
    partial = {name: folder / f".{name}.partial" for name in ASSETS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in partial.items():
            shutil.copyfile(export / name, file)
        (folder / SETTINGS).unlink(missing_ok=True)
        for name, file in partial.items():
            file.replace(folder / name)
    except OSError as error:
        for file in partial.values():
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        raise InputError("android_assets", f"{folder} ({error.strerror})", "a folder that can be written") from None
