"""A model as an ONNX file: tokens in, probabilities out, or the logits of spans."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from absl import logging

from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.models.encoder import encoder_inputs
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.quiet import quiet

NAME = "onnx"
EXTRAS = (
    Extra("export_formats", NAME, "tf2onnx", "onnx"),
    Extra("export_formats", NAME, "onnxruntime", "onnx"),
)


def export(reference: Reference | SpanReference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes `student.onnx` with Keras's exporter: the inputs of a BERT, and probabilities, scores, or logits of spans.

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
    inputs = encoder_inputs()
    model = keras.Model(inputs, reference.outputs(inputs))
    model(reference.tokens.rows(np.arange(1)))  # Keras only exports a model that has been called
    with quiet():
        model.export(file, format="onnx", verbose=False)
    measured = reference.measured_by(_runner(file), file.name)
    return {file.name: {"variant": "float32", "size_bytes": file.stat().st_size} | measured}


def _runner(file: Path) -> Callable[[dict], dict[str, np.ndarray]]:
    """Returns a function from inputs to the outputs that ONNX Runtime computes with the file, by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(batch: dict) -> dict[str, np.ndarray]:
        inputs = {key: np.asarray(value, np.int32) for key, value in batch.items()}
        return dict(zip(names, session.run(names, inputs)))

    return run
