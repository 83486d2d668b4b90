"""A classifier as an ONNX file: tokens in, probabilities out."""

from pathlib import Path

import keras
import numpy as np
from absl import logging

from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.models.encoder import encoder_inputs
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.graph import output_name
from tinybert_tf.tflite.quiet import quiet

NAME = "onnx"
EXTRAS = (
    Extra("export_formats", NAME, "tf2onnx", "onnx"),
    Extra("export_formats", NAME, "onnxruntime", "onnx"),
)
_BATCH = 64  # texts that are compared at a time


def export(reference: Reference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes `student.onnx` with Keras's exporter: the inputs of `BertClassifier`, and probabilities or scores.

    Args:
        reference: The Keras model, and its answers.
        folder: The folder for the file.
        config: The settings, none of which affects this format.

    Returns:
        What was measured, by file.

    Raises:
        RuntimeError: The file does not compute what the model does.
    """
    file = folder / "student.onnx"
    logging.info("Converting to ONNX: %s.", file.name)
    inputs, name = encoder_inputs(), output_name(reference.student)
    logits = reference.student(inputs)
    output = keras.layers.Activation(reference.activation, name=name)(logits)
    model = keras.Model(inputs, {name: output})
    model(reference.tokens.rows(np.arange(1)))  # Keras only exports a model that has been called
    with quiet():
        model.export(file, format="onnx", verbose=False)
    measured = reference.compare(_answers(reference, file, name), file.name, "float32")
    return {file.name: {"variant": "float32", "size_bytes": file.stat().st_size} | measured}


def _answers(reference: Reference, file: Path, output: str) -> np.ndarray:
    """Returns the answers that ONNX Runtime computes with the file, `[texts, classes]`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    answers, count = [], len(reference.examples)
    for begin in range(0, count, _BATCH):
        batch = reference.tokens.rows(np.arange(begin, min(begin + _BATCH, count)))
        answers.append(session.run([output], {key: np.asarray(value, np.int32) for key, value in batch.items()})[0])
    return np.concatenate(answers)
