"""What is measured of a model's LiteRT files for its report."""

import tempfile
from pathlib import Path

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.exporters import litert
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig

_TIMED = 300  # texts that the teacher's file is timed on


def measured_files(model: BertClassifier, teacher: BertClassifier | None, task: Task, examples: Examples, length: int):
    """Returns what is measured of LiteRT files: of the model in "float32" and "int8", of the "teacher" in float32."""
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(model, task, examples, length)
        found = litert.export(reference, Path(folder), ExportConfig(variants=("float32", "int8")))
        files |= {part["variant"]: part for part in found.values()}
        if teacher is not None:
            some = examples.take(np.arange(min(len(examples), _TIMED)))
            found = litert.export(
                Reference(teacher, task, some, length), Path(folder), ExportConfig(variants=("float32",))
            )
            files["teacher"] = found["student.tflite"]
    return files
