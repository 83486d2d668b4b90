"""A model in ONNX, in the layout of Hugging Face's hub: what transformers.js and its like open as it is.

The export folder gets `onnx/model.onnx`, `onnx/model_quantized.onnx`, `config.json`, `tokenizer.json` and
`tokenizer_config.json`; the names are those that transformers.js looks for.
"""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from absl import logging
from tokenizers import Tokenizer

from tinybert_tf.configs import INPUTS
from tinybert_tf.evaluation.metrics import probabilities_of
from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.files import json_text
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.presets.content import CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from tinybert_tf.presets.folder import hf_config, tokenizer_config
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.quiet import quiet
from tinybert_tf.tflite.tokenizer import bert_tokenizer

NAME = "onnx"
EXTRAS = (
    Extra("export_formats", NAME, "tf2onnx", "onnx"),
    Extra("export_formats", NAME, "onnxruntime", "onnx"),
)
FILES = {"float32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
OUTPUT = "logits"
# Hugging Face's names of our inputs.
_HF_INPUTS = dict(zip(INPUTS, ("input_ids", "token_type_ids", "attention_mask")))


def export(reference: Reference | SpanReference, folder: Path, config: ExportConfig) -> dict[str, dict]:
    """Writes the model in float32 and int8, its configuration, and its tokenizer.

    The inputs are `input_ids`, `attention_mask` and, where the model has segments, `token_type_ids`: int64
    `[batch, length]`. The output is `logits`, float32 `[batch, classes]`, or `start_logits` and `end_logits`, float32
    `[batch, length]`.

    Args:
        reference: The Keras model, and its answers.
        folder: The folder for the files.
        config: The settings, none of which affects this format.

    Returns:
        What was measured, by file.

    Raises:
        RuntimeError: The file does not compute what the model does.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain, quantized = (folder / name for name in FILES.values())
    logging.info("Converting to ONNX: %s.", ", ".join(FILES.values()))
    plain.parent.mkdir()
    with quiet():
        _renamed(reference).export(plain, format="onnx", verbose=False)
        # Of the kinds of scales, these were the nearest to the float model: docs/results/parity.md.
        quantize_dynamic(plain, quantized, per_channel=True, weight_type=QuantType.QUInt8)
    tokenizer = _write_settings(reference.student, reference.length, folder)
    return {name: _measured(reference, tokenizer, folder / name, variant) for variant, name in FILES.items()}


def _renamed(reference: Reference | SpanReference) -> keras.Model:
    """Returns the model with Hugging Face's inputs and outputs."""
    student = reference.student
    ours = [name for name in INPUTS if name != "segment_ids" or student.config.num_segments]
    inputs = {name: keras.Input((None,), dtype="int64", name=_HF_INPUTS[name]) for name in ours}
    tokens = {name: keras.ops.cast(symbol, "int32") for name, symbol in inputs.items()}
    tokens.setdefault("segment_ids", keras.ops.zeros_like(tokens["token_ids"]))  # which such a model ignores
    outputs = student(tokens)
    outputs = outputs if isinstance(outputs, dict) else {OUTPUT: outputs}
    outputs = {name: keras.layers.Identity(name=name)(symbol) for name, symbol in outputs.items()}
    model = keras.Model({_HF_INPUTS[name]: symbol for name, symbol in inputs.items()}, outputs)
    row = reference.tokens.rows(np.arange(1))
    model({_HF_INPUTS[name]: row[name] for name in ours})  # Keras only exports a model that has been called
    return model


def _write_settings(student: BertClassifier, length: int, folder: Path) -> Tokenizer:
    """Writes what says how texts become ids and logits become labels; returns the tokenizer.

    A model of another family is described as the BERT that it is here: the graph takes a BERT's ids.
    """
    tokenizer = student.tokenizer
    full = bert_tokenizer(tokenizer.vocabulary, sequence_length=length, **tokenizer.normalization)
    settings = tokenizer_config(tokenizer) | {"model_max_length": length}
    (folder / CONFIG_FILE).write_text(json_text(hf_config(student)), encoding="utf-8")
    (folder / TOKENIZER_FILE).write_text(full.to_str(), encoding="utf-8")
    (folder / TOKENIZER_CONFIG_FILE).write_text(json_text(settings), encoding="utf-8")
    return full


def _measured(reference: Reference | SpanReference, tokenizer: Tokenizer, file: Path, variant: str) -> dict:
    """Returns how far the file's answers are from the model's, and how long they take from text.

    One text per call: in int8 the texts of a batch share the scales of their activations.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = file.relative_to(file.parents[1]).as_posix()
    found = {"variant": variant, "size_bytes": file.stat().st_size}
    if isinstance(reference, SpanReference):
        return found | reference.measured_by(_of_rows(session), name, variant)
    names = {node.name for node in session.get_inputs()}
    texts, pairs = reference.examples.texts, reference.examples.text_pairs
    start, logits = time.perf_counter(), []
    for row in map(tokenizer.encode, texts, [None] * len(texts) if pairs is None else pairs):
        row = {"input_ids": row.ids, "token_type_ids": row.type_ids, "attention_mask": row.attention_mask}
        logits.append(session.run([OUTPUT], {name: np.array([row[name]], np.int64) for name in names})[0])
    seconds = time.perf_counter() - start
    answers = probabilities_of(np.concatenate(logits), reference.student.multi_label)
    found["milliseconds_a_text"] = 1e3 * seconds / len(logits)
    return found | reference.compare(answers, name, variant)


def _of_rows(session) -> Callable[[dict], dict[str, list[np.ndarray]]]:
    """Returns a function from a batch of our inputs to the outputs of each row by name, which runs row by row."""
    inputs = {node.name for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]

    def run(batch: dict) -> dict[str, list[np.ndarray]]:
        found = {name: [] for name in outputs}
        for place, size in enumerate(batch["padding_mask"].sum(1)):
            row = {_HF_INPUTS[name]: values[place : place + 1, :size] for name, values in batch.items()}
            row = {name: row[name].astype(np.int64) for name in inputs}
            for name, values in zip(outputs, session.run(outputs, row)):
                found[name].append(values[0])
        return found

    return run
