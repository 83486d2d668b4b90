"""A model as a SavedModel for TF Serving: strings in; label and probabilities, or an answer, out."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tinybert_tf.data.spans import Span
from tinybert_tf.errors import InputError
from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.exporters.serving_labels import LabelGraph
from tinybert_tf.exporters.serving_spans import SpanGraph
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.quiet import quiet

NAME = "saved_model"
EXTRAS = (Extra("export_formats", NAME, "tensorflow_serving", "serving"),)

_BATCH = 16  # questions that are asked at a time


def export(reference: Reference | SpanReference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes `saved_model/1` as `save_for_serving` does.

    Args:
        reference: The Keras model, and the texts or questions.
        folder: The folder for `saved_model`.
        config: The settings; what affects this format is in `reference`.

    Returns:
        What was measured of answers to questions; nothing of a classifier, whose file holds the Keras model itself.

    Raises:
        RuntimeError: The file does not answer as the model does.
    """
    logging.info("Writing %s/1.", NAME)
    examples, asks = reference.examples, isinstance(reference, SpanReference)
    if asks:
        graph = SpanGraph(reference.student, reference.length)
    else:
        pairs, abstain_below = examples.text_pairs is not None, reference.calibration.abstain_below
        graph = LabelGraph(reference.student, reference.length, pairs, abstain_below)
    with quiet():
        save_for_serving(graph, folder / NAME)
    if not asks:
        return {}
    size = sum(file.stat().st_size for file in (folder / NAME).rglob("*") if file.is_file())
    spans = answers_of(folder / NAME / "1", examples.questions, examples.contexts)
    return {NAME: {"variant": "float32", "size_bytes": size} | reference.compare(spans, NAME, "float32")}


def save_for_serving(graph: LabelGraph | SpanGraph, folder: Path) -> None:
    """Writes `folder/1`, a version in TF Serving's layout, with warm-up requests.

    Args:
        graph: A model and its signatures.
        folder: A folder without a version; made if it is missing.

    Raises:
        InputError: The package with TF Serving's messages is missing.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        raise InputError(
            "export_formats", "'saved_model' without tensorflow-serving-api", "pip install 'tinybert-tf[serving]'"
        ) from None
    archive = keras.export.ExportArchive()
    archive.track(graph.model)
    for name, (function, inputs) in graph.signatures().items():
        archive.add_endpoint(name, function, inputs)
    archive.write_out(folder / "1", verbose=False)
    extra = folder / "1" / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for inputs in graph.warmup:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = "serving_default"
            for name, text in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto([text]))
            writer.write(log.SerializeToString())


def answers_of(folder: Path, questions: Sequence[str], contexts: Sequence[str]) -> list[Span]:
    """Returns the answers of a question answerer's SavedModel.

    Args:
        folder: The version, such as `saved_model/1`.
        questions: The questions.
        contexts: The text of each.
    """
    model = tf.saved_model.load(str(folder))
    ask, spans = model.signatures["serving_default"], []
    for begin in range(0, len(questions), _BATCH):
        part = slice(begin, begin + _BATCH)
        found = ask(question=tf.constant(questions[part]), context=tf.constant(contexts[part]))
        values = {name: np.asarray(value).tolist() for name, value in found.items()}
        for row in zip(*(values[name] for name in _SPAN)):
            span = dict(zip(_SPAN.values(), row))
            spans.append(Span(**span | {"text": span["text"].decode()}))
    return spans


_SPAN = {"answer": "text"} | {  # fields of a span, by the outputs' names
    name: name for name in ("start", "end", "score", "probability", "null_odds", "no_answer")
}
