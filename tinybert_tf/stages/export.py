"""Export: a student as LiteRT files, a SavedModel for TF Serving, ONNX; each compared with the Keras model.

Everything is written into a folder beside the last place first, and moved when all of it is there and right.
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import io
import json
import logging as stdlib_logging
import shutil
import time
import warnings
from pathlib import Path

import keras
import numpy as np
from absl import logging

from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.exporters.parity import TOLERANCES, Reference, examples_for
from tinybert_tf.exporters.saved_model import save_for_serving
from tinybert_tf.models import BertClassifier
from tinybert_tf.models.encoder import encoder_inputs
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.stages.common import classifier_of, saved_length, task_of
from tinybert_tf.stages.job import run_directory_of
from tinybert_tf.tflite import TextClassifier, metadata
from tinybert_tf.tflite.android import copy_to_assets
from tinybert_tf.tflite.convert import SIGNATURE, convert
from tinybert_tf.tflite.graph import INPUTS, output_name
from tinybert_tf.training.run_directory import RunDirectory, digest_of

PARITY = "parity.json"
# Packages that only some people have: the setting and its value that want them, the module, the extra.
_EXTRAS = (
    ("export_formats", "saved_model", "tensorflow_serving", "serving"),
    ("export_formats", "onnx", "tf2onnx", "onnx"),
    ("export_formats", "onnx", "onnxruntime", "onnx"),
    ("variants", "int4", "ai_edge_quantizer", "int4"),
)


def run(config: ExportConfig) -> RunDirectory:
    """Writes the formats that are asked for, and `parity.json`: how far each file is from the Keras model.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
        RuntimeError: a file that does not compute what the model does; nothing is left of it.
    """
    folder = run_directory_of(config, "export")
    for setting, value, module, extra in _EXTRAS:
        if value in getattr(config, setting) and importlib.util.find_spec(module) is None:
            raise InputError(setting, f"{value!r} without {module}", f"pip install 'tinybert-tf[{extra}]'")
    student = classifier_of(config.model, "model")
    inputs = {"model": digest_of(student)}
    if folder.finished_with(inputs):
        return _with_assets(folder, config.android_assets)
    length = saved_length(config.sequence_length, student)
    task = _task_of(config, student)
    examples = examples_for(task, student)
    with folder.start(inputs):
        partial = folder.path / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        reference = Reference(student, task, examples, length)
        results = {"texts": len(examples), "keras": reference.results, "files": {}}
        if "litert" in config.export_formats:
            results["files"] |= _export_litert(config, reference, partial)
        if "saved_model" in config.export_formats:
            logging.info("Writing saved_model/1.")
            with _quiet():
                save_for_serving(student, partial / "saved_model", length, examples.text_pairs is not None)
        if "onnx" in config.export_formats:
            results["files"]["student.onnx"] = _export_onnx(reference, partial / "student.onnx")
        (partial / PARITY).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        for made in sorted(partial.iterdir()):
            target = folder.path / made.name
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            made.rename(target)
        partial.rmdir()
        folder.finish(results)
    return _with_assets(folder, config.android_assets)


def _with_assets(folder: RunDirectory, android_assets: str) -> RunDirectory:
    """Copies what the Android demo reads to its assets, if a folder is named."""
    if android_assets:
        copy_to_assets(folder.path, android_assets)
    return folder


def _export_litert(config: ExportConfig, reference: Reference, folder: Path) -> dict:
    """Writes a .tflite file a variant, and what belongs to them; returns what was measured, by file."""
    student, found = reference.student, {}
    info = {
        "name": "tinybert_tf student",
        "task": "" if reference.task is None else reference.task.name,
        "labels": list(student.labels),
        "text_pairs": reference.examples.text_pairs is not None,
        "sequence_length": reference.length,
        "fixed_length": config.fixed_length,
        "lowercase": student.tokenizer.lowercase,
        "signature": SIGNATURE,
        "inputs": list(INPUTS),
        "output": output_name(student),
        "parameters": student.count_params(),
        "vocabulary_size": len(student.tokenizer.vocabulary),
    }
    for variant in config.variants:
        name = "student.tflite" if variant == config.variants[0] else f"student_{variant}.tflite"
        logging.info("Converting to %s: %s.", variant, name)
        own = info | {"variant": variant}
        with _quiet():
            model = convert(student, variant, reference.length, config.fixed_length)
        model = metadata.append_files(model, student.tokenizer.vocabulary, student.labels, own)
        (folder / name).write_bytes(model)
        classifier = TextClassifier(folder / name)
        start = time.perf_counter()
        answers = classifier.predict(reference.examples.texts, reference.examples.text_pairs)
        seconds = time.perf_counter() - start
        found[name] = {
            "variant": variant,
            "size_bytes": len(model),
            "sha256": hashlib.sha256(model).hexdigest(),
            "milliseconds_a_text": 1e3 * seconds / len(answers),
        } | reference.compare(answers, name, TOLERANCES.get(variant))
        if variant == config.variants[0]:
            first = own | {key: found[name][key] for key in ("size_bytes", "sha256", "metrics")}
            first["metric_texts"] = len(reference.examples)
    (folder / metadata.SETTINGS).write_text(json.dumps(first, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / metadata.LABELS).write_text("".join(f"{label}\n" for label in student.labels), encoding="utf-8")
    student.tokenizer.save(folder / metadata.VOCABULARY)
    return found


def _export_onnx(reference: Reference, file: Path) -> dict:
    """Writes the student in ONNX, tokens to probabilities, by Keras's exporter."""
    import onnxruntime

    logging.info("Converting to ONNX: %s.", file.name)
    inputs, name = encoder_inputs(), output_name(reference.student)
    logits = reference.student(inputs)
    output = keras.layers.Activation("linear" if reference.is_regression else "softmax", name=name)(logits)
    model = keras.Model(inputs, {name: output})
    model(reference.tokens.rows(np.arange(1)))  # Keras exports a model that has been called
    with _quiet():
        model.export(file, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    answers = []
    for begin in range(0, len(reference.examples), 64):
        batch = reference.tokens.rows(np.arange(begin, min(begin + 64, len(reference.examples))))
        answers.append(session.run([name], {key: np.asarray(value, np.int32) for key, value in batch.items()})[0])
    return {"variant": "float32", "size_bytes": file.stat().st_size} | reference.compare(
        np.concatenate(answers), file.name, TOLERANCES["float32"]
    )


@contextlib.contextmanager
def _quiet():
    """Keeps what converters tell their authors off the screen; errors are exceptions."""
    verbosity, level = logging.get_verbosity(), stdlib_logging.getLogger("tf2onnx").level
    logging.set_verbosity(logging.ERROR)
    stdlib_logging.getLogger("tf2onnx").setLevel(stdlib_logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        stdlib_logging.getLogger("tf2onnx").setLevel(level)


def _task_of(config: ExportConfig, student: BertClassifier) -> Task | None:
    """The task to measure on: the one asked for, or what the student's run learnt; None where neither is known."""
    if not (config.task or config.files):
        record = Path(config.model).expanduser() / "run.json"
        if not record.is_file():
            return None
        settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
        names = {"task", *dataclasses.asdict(config.files)}
        config = dataclasses.replace(config, **{name: settings[name] for name in names if name in settings})
        try:
            return task_of(config, student.labels)
        except InputError as error:
            logging.warning("Accuracy is not measured: the student's own data cannot be read (%s).", error)
            return None
    task = task_of(config, student.labels)
    task.columns_of(student.labels, "model")  # refuses other ones
    return task


def summary(folder: RunDirectory) -> str:
    """A table: each file's size, the task's metrics with it, and how far it is from the Keras model."""
    results = folder.record["results"]
    names = list(results["keras"]["metrics"])
    titles = ["size", *names, "same answer", "mean diff.", "max diff.", "ms a text"]
    lines = [f"{results['texts']:,} texts".ljust(24) + "".join(f"{title:>13}" for title in titles)]
    for name, values in {"Keras, float32": results["keras"], **results["files"]}.items():
        cells = [f"{values['size_bytes'] / 1e6:.2f} MB"]
        cells += [f"{100 * values['metrics'][metric]:.2f}" for metric in names]
        cells.append(f"{100 * values['agreement']:.2f} %" if "agreement" in values else "")
        cells += [f"{values[k]:.1e}" if k in values else "" for k in ("mean_difference", "max_difference")]
        cells.append(f"{values['milliseconds_a_text']:.2f}" if "milliseconds_a_text" in values else "")
        lines.append(f"{name:24}" + "".join(f"{cell:>13}" for cell in cells))
    files = sorted(entry.name for entry in folder.path.iterdir() if entry.name[0] != ".")
    lines += ["", f"Files    {folder.path}: {', '.join(files)}"]
    if "student.tflite" in files:
        model = folder.path / "student.tflite"
        lines.append(f'Next     python -m tinybert_tf.tflite.classify --model={model} "A fine film."')
    elif "saved_model" in files:
        lines.append(f"Next     serve {folder.path / 'saved_model'} with TF Serving: docs/serving.md")
    return "\n".join(lines)
