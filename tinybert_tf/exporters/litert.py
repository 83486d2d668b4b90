"""A model as LiteRT files for phones, one per number format, and the files that an app reads beside them."""

import hashlib
from pathlib import Path

from absl import logging

from tinybert_tf.configs import INPUTS, NUMBER_FORMATS
from tinybert_tf.exporters import Extra
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite.archive import append_files, texts_of
from tinybert_tf.tflite.convert import SIGNATURE, convert
from tinybert_tf.tflite.quiet import quiet

NAME = "litert"
EXTRAS = tuple(Extra("variants", name, f.module, f.extra) for name, f in NUMBER_FORMATS.items() if f.module)


def export(
    reference: Reference | SpanReference, folder: Path, config: ExportConfig, padded: bool = False
) -> dict[str, dict]:
    """Writes a .tflite file per variant, and vocabulary, labels and settings beside them.

    The first variant is `student.tflite`, which `model_info.json` is about.

    Args:
        reference: The Keras model, and its answers.
        folder: The folder for the files.
        config: The settings; `variants` and `fixed_length` shape the files.
        padded: Whether a question answerer returns `sequence_length` logits for rows of any length, as LiteRT.js needs.

    Returns:
        What was measured, by file.

    Raises:
        RuntimeError: A file does not compute what the model does.
    """
    student, found = reference.student, {}
    for variant in config.variants:
        first = variant == config.variants[0]
        name = "student.tflite" if first else f"student_{variant}.tflite"
        logging.info("Converting to %s: %s.", variant, name)
        info = settings_of(reference, config.fixed_length) | {"variant": variant}
        with quiet():
            options = reference.length, config.fixed_length, info.get("abstain_below"), padded, reference.pieces
            model = convert(student, variant, *options)
        model = append_files(model, student.tokenizer.vocabulary, reference.labels, info)
        (folder / name).write_bytes(model)
        found[name] = {
            "variant": variant,
            "size_bytes": len(model),
            "sha256": hashlib.sha256(model).hexdigest(),
        } | reference.measured(folder / name, variant)
        if first:
            info |= {key: found[name][key] for key in ("size_bytes", "sha256", "metrics")}
            info["metric_texts"] = len(reference.examples)
            for file, text in texts_of(student.tokenizer.vocabulary, reference.labels, info).items():
                (folder / file).write_text(text, encoding="utf-8", newline="\n")
    return found


def settings_of(reference: Reference | SpanReference, fixed_length: bool) -> dict:
    """Returns the settings of a file: what a program needs to feed it, and what people want to know about it."""
    student = reference.student
    return {
        "name": "tinybert_tf student",
        "task": "" if reference.task is None else reference.task.name,
        **reference.settings(),
        "sequence_length": reference.length,
        "fixed_length": fixed_length,
        **student.tokenizer.normalization,
        "takes_pairs": student.tokenizer.takes_pairs,
        "signature": SIGNATURE,
        "inputs": list(INPUTS),
        "parameters": student.count_params(),
        "vocabulary_size": len(student.tokenizer.vocabulary),
    }
