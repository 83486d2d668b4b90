"""The files that the Android demo reads, in the folder where its build looks for them."""

import os
import shutil
from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of, write_folder
from tinybert_tf.tflite.archive import LABELS, SETTINGS, VOCABULARY

ASSETS = ("student.tflite", VOCABULARY, LABELS, SETTINGS)


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
    folder = path_of(folder)
    try:
        with write_folder(folder, last=SETTINGS) as partial:
            for name in ASSETS:
                shutil.copyfile(export / name, partial / name)
    except OSError as error:
        raise InputError("android_assets", f"{folder} ({error.strerror})", "a folder that can be written") from None
