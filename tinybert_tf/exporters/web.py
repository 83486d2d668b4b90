"""A student as a web page: a folder that any static server shows, and that asks no other server for anything.

`web/` holds the page (`web_page/` of this package: what the pages share, and a folder per kind of student), the LiteRT
file of the first variant with its vocabulary and settings, and LiteRT.js, which is fetched and verified like a packaged
asset.
"""

import dataclasses
import shutil
from pathlib import Path

from absl import logging

from tinybert_tf import assets
from tinybert_tf.exporters import litert
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.archive import CLASSIFICATION, QUESTION_ANSWERING, SETTINGS, VOCABULARY

NAME = "web"
EXTRAS = litert.EXTRAS
PAGE = Path(__file__).with_name("web_page")
MODEL = "student.tflite"
# The names that the page's import map gives the packages, by asset.
_RUNTIME = {"litert_js": "core", "litert_js_loader": "wasm-utils"}


def export(reference: Reference | SpanReference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes `web/`. The model is the phone's: LiteRT.js runs the same file, with texts of any length.

    A question answerer's file is one of its own, unless it has a fixed length: LiteRT.js cannot run those whose outputs
    have any length.

    Args:
        reference: The Keras model, and its answers.
        folder: The folder for `web`; it may hold the LiteRT files already.
        config: The settings; `variants` and `fixed_length` shape the model.

    Returns:
        What was measured, by file; empty if the page takes the LiteRT files, which are measured already.

    Raises:
        InputError: LiteRT.js cannot be fetched.
        RuntimeError: The file does not compute what the model does.
    """
    logging.info("Writing %s.", NAME)
    runtime = {place: assets.fetch(name) for name, place in _RUNTIME.items()}
    page, found = folder / NAME, {}
    kind = QUESTION_ANSWERING if isinstance(reference, SpanReference) else CLASSIFICATION
    padded = kind == QUESTION_ANSWERING and not config.fixed_length
    page.mkdir()
    for file in page_files(kind):
        shutil.copy(file, page)
    for place, source in runtime.items():
        shutil.copytree(source, page / "litert" / place)
    if litert.NAME in config.export_formats and not padded:
        for name in (MODEL, VOCABULARY, SETTINGS):
            shutil.copyfile(folder / name, page / name)
    else:
        first = dataclasses.replace(config, variants=config.variants[:1])
        found = litert.export(reference, page, first, padded=padded)
    return {f"{NAME}/{name}": values for name, values in found.items()}


def page_files(kind: str) -> list[Path]:
    """Returns the files of a page: those that the pages share, and those for this kind of model."""
    return sorted(file for folder in (PAGE, PAGE / kind) for file in folder.iterdir() if file.is_file())
