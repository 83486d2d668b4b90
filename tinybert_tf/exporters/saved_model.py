"""A classifier as a SavedModel for TF Serving: strings in, label and probabilities out."""

from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from tinybert_tf.configs import INPUTS
from tinybert_tf.errors import InputError
from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.graph import PROBABILITIES, SCORE
from tinybert_tf.tflite.quiet import quiet

NAME = "saved_model"
EXTRAS = (Extra("export_formats", NAME, "tensorflow_serving", "serving"),)

WARMUP_TEXTS = ("A fine film.", "It is neither as good nor as bad as people say, but it is rather long. " * 4)


def export(reference: Reference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes `saved_model/1` as `save_for_serving` does.

    Args:
        reference: The Keras model, and the texts, which are pairs or not.
        folder: The folder for `saved_model`.
        config: The settings, none of which affects this format.

    Returns:
        Nothing: the file holds the Keras model itself, and is not measured.
    """
    logging.info("Writing %s/1.", NAME)
    with quiet():
        text_pairs = reference.examples.text_pairs is not None
        save_for_serving(reference.student, folder / NAME, reference.length, text_pairs)
    return {}


def save_for_serving(classifier: BertClassifier, folder: Path, sequence_length: int, text_pairs: bool) -> None:
    """Writes `folder/1`, a version in TF Serving's layout, with warm-up requests.

    The signature `serving_default` takes `text`, strings `[batch]`, and with `text_pairs` also `text_pair`; `tokens`
    takes `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`. Both return `label`, strings
    `[batch]`, and `probabilities`, float32 `[batch, classes]`; for regression `score`, float32 `[batch]`. Where a text
    may have any number of labels there is, in place of `label`, `labels`, strings `[batch, classes]`: each class's name
    if its probability is 0.5 or more, else "".

    Args:
        classifier: A classifier with a tokenizer.
        folder: A folder without a version; made if it is missing.
        sequence_length: Most tokens in a row; longer rows are cut.
        text_pairs: Whether the task has second texts.

    Raises:
        InputError: The package with TF Serving's messages is missing.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        raise InputError(
            "export_formats", "'saved_model' without tensorflow-serving-api", "pip install 'tinybert-tf[serving]'"
        ) from None
    labels = tf.constant(classifier.labels)

    def answer(tokens):
        logits = classifier({name: ids[:, :sequence_length] for name, ids in tokens.items()}, training=False)
        if len(classifier.labels) == 1:
            return {SCORE: logits[:, 0]}
        if classifier.multi_label:
            probabilities = tf.sigmoid(logits)
            return {PROBABILITIES: probabilities, "labels": tf.where(probabilities >= 0.5, labels[None], "")}
        return {PROBABILITIES: tf.nn.softmax(logits), "label": tf.gather(labels, tf.argmax(logits, -1))}

    def from_text(text, text_pair=None):
        return answer(classifier.tokenizer(text, text_pair, sequence_length=sequence_length))

    def from_tokens(token_ids, segment_ids, padding_mask):
        return answer({"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask})

    archive = keras.export.ExportArchive()
    archive.track(classifier)
    texts = ["text", "text_pair"] if text_pairs else ["text"]
    archive.add_endpoint("serving_default", from_text, [tf.TensorSpec([None], tf.string, name=name) for name in texts])
    archive.add_endpoint("tokens", from_tokens, [tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUTS])
    archive.write_out(folder / "1", verbose=False)
    extra = folder / "1" / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for text in WARMUP_TEXTS:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = "serving_default"
            for name in texts:
                request.inputs[name].CopyFrom(tf.make_tensor_proto([text]))
            writer.write(log.SerializeToString())
