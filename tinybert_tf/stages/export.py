"""Export: a model in each of the formats asked for, compared with the Keras model.

All files are first written to a folder inside the run directory, and moved when they are complete and correct.
"""

import dataclasses
import importlib
import tempfile
from pathlib import Path
from shlex import quote
from types import ModuleType

from absl import logging
from tqdm import tqdm

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.vocabulary import by_frequency, count_pieces
from tinybert_tf.errors import InputError
from tinybert_tf.exporters import abstaining, claims, require_extras
from tinybert_tf.exporters.hub_card import hub_card, uploaded_files
from tinybert_tf.exporters.parity import Reference, examples_for
from tinybert_tf.exporters.span_parity import SpanReference, questions_for
from tinybert_tf.files import json_text, path_of, read_json, write_folder
from tinybert_tf.kinds import Classification, QuestionAnswering, kind_of_model
from tinybert_tf.kinds.classification import classifier_of, name_classes, task_of
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets import hub
from tinybert_tf.presets.folder import CARD_FILE
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.settings.stages.export import EXPORT_FORMATS
from tinybert_tf.stages.common import check_null_threshold, saved_length
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.stages.learned import learned_data, learned_pairs, learned_texts
from tinybert_tf.tflite.android import copy_to_assets
from tinybert_tf.tflite.archive import QUESTION_ANSWERING, SETTINGS
from tinybert_tf.tflite.convert import has_codes
from tinybert_tf.training.run_directory import RunDirectory

PARITY = "parity.json"
_NOT_MEASURED = "Accuracy is not measured: the model's own data cannot be read (%s)."


def run(config: ExportConfig) -> RunDirectory:
    """Writes the formats asked for, and what was measured of each file: `parity.json`, and `measured.md` for people.

    Raises:
        RuntimeError: A file does not compute what the model computes; no file is left.
    """
    if config.push_to_hub:
        hub.check_access(config.push_to_hub)
    job = _JOBS[kind_of_model(config.model, "model")](config)
    folder = job.run()
    if config.android_assets:
        copy_to_assets(folder.path, config.android_assets)
    if config.push_to_hub:
        logging.info("Uploaded to %s", job.push())
    return folder


def exporter_of(name: str) -> ModuleType:
    """Returns the module of a format: see `tinybert_tf.exporters`."""
    return importlib.import_module(f"tinybert_tf.exporters.{name}")


class _Export(Job):
    stage = "export"
    calibration = abstaining.Calibration()

    def read(self) -> dict[str, str]:
        config = self.config
        self.exporters = [exporter_of(name) for name in EXPORT_FORMATS if name in config.export_formats]
        for exporter in self.exporters:
            require_extras(exporter.EXTRAS, config)
        self.load()
        if config.push_to_hub and "onnx" in config.export_formats and self.model.config.family == "mpnet":
            got = "the ONNX files of an MPNet, which take other ids than its folder's tokenizer gives"
            raise InputError("push_to_hub", got, "--export_formats without onnx")
        named = self.given_task() if config.files or config.glue_dir else None
        given = named.fingerprint() if named else ""
        if not given and abstaining.asked(config, on_dev=True) and (task := _task_of(config, self.model)):
            given = task.fingerprint()
        self.texts = self._texts(named)
        counted = {} if self.texts is None else {"counted texts": Examples(self.texts).fingerprint()}
        return {**digests_of(model=self.model), "task": given, **counted}

    def _texts(self, task: Task | QuestionTask | None) -> list[str] | None:
        """Returns training texts, whose WordPieces are counted for files with codes; None if there is no such file.

        Args:
            task: The task that the settings name, if it has been read.
        """
        config = self.config
        coded = any(has_codes(self.model, variant) for variant in config.variants)
        if not coded or not {"litert", "web"} & set(config.export_formats):
            return None
        if task is None and config.task:
            task = self.given_task()
        if task is not None and "train" in task.splits:
            return list(task.texts("train"))
        try:
            return learned_texts(config.model, "task")
        except InputError as error:
            logging.warning("The WordPieces with the lowest ids count as frequent: %s.", error)
            return []

    def load(self) -> None:
        """Loads the model."""
        self.model = classifier_of(self.config.model, "model")
        abstaining.check_kind(self.config, self.model.problem_type)
        check_null_threshold(self.config.null_threshold)

    def given_task(self) -> Task:
        """Returns the task that the settings name."""
        return task_of(self.config, self.model)

    def prepare(self) -> None:
        self.length = saved_length(self.config.sequence_length, self.model)
        self.task = _task_of(self.config, self.model)
        self.calibration = abstaining.calibrate(self.config, self.model, self.task, self.length)
        self.examples = examples_for(self.task, self.model, self.task is None and _reads_pairs(self.config.model))

    def reference(self) -> Reference:
        """Returns the model's answers, with which files are compared."""
        return Reference(self.model, self.task, self.examples, self.length, self.calibration)

    def work(self) -> dict:
        reference = self.reference()
        if self.texts:
            tokenizer = self.model.tokenizer
            counts = count_pieces(tokenizer, tqdm(self.texts, desc="pieces", unit=" texts", dynamic_ncols=True))
            reference.pieces = tuple(by_frequency(tokenizer.vocabulary, counts).tolist())
        results = {"texts": len(self.examples), "keras": reference.results, "files": {}, "task": "", "split": ""}
        if self.task is not None:
            results |= {"task": self.task.name, "split": self.task.report_split}
        results["labels"] = list(getattr(self.model, "labels", ()))
        if self.calibration:
            results["calibration"] = dataclasses.asdict(self.calibration)
        with write_folder(self.folder.path) as partial:
            for exporter in self.exporters:
                results["files"] |= exporter.export(reference, partial, self.config)
            (partial / PARITY).write_text(json_text(results), encoding="utf-8")
            table = claims.markdown(results)
            (partial / claims.FILE).write_text(table, encoding="utf-8", newline="\n")
        return results

    def push(self) -> str:
        """Uploads model folder, card and files; returns the address.

        Raises:
            InputError: The hub refuses them.
        """
        config, results = self.config, self.folder.record["results"]
        if "labels" not in results:
            raise InputError("push_to_hub", f"{self.folder.path}, which an older version made", "a new --output_dir")
        if results["labels"]:
            self.model.labels = results["labels"]  # a task may have named them
        if self.folder.was_finished:  # else it is in the model at hand
            abstaining.Calibration(**results.get("calibration", {})).fold_into(self.model)
        with tempfile.TemporaryDirectory() as partial:
            folder = Path(partial) / config.push_to_hub.split("/")[1]
            self.model.save_to_preset(folder, card=_card_of(config.model))
            files = {file.name: file for file in sorted(folder.iterdir())}
            card = files[CARD_FILE].read_text(encoding="utf-8")
            files[CARD_FILE] = hub_card(card, config.push_to_hub, results, config.hub_licence)
            made = [self.folder.path / name for name in (*uploaded_files(results), SETTINGS)]
            files |= {file.relative_to(self.folder.path).as_posix(): file for file in made if file.is_file()}
            return hub.push(files, config.push_to_hub, config.hub_private)


class _ExportAnswers(_Export):
    """The same of a question answerer."""

    def load(self) -> None:
        abstaining.check_kind(self.config, "question answering")
        self.model = QuestionAnswering.load(self.config.model, "model")
        if self.config.null_threshold is not None:
            self.model.null_threshold = self.config.null_threshold

    def given_task(self) -> QuestionTask:
        return QuestionAnswering(self.config).task

    def prepare(self) -> None:
        self.length = saved_length(self.config.sequence_length, self.model)
        self.task = self._task()
        self.examples = questions_for(self.task, self.model, self.length)

    def _task(self) -> QuestionTask | None:
        """Returns the task to measure on, as `_task_of` does."""
        if self.config.task or self.config.files:
            return self.given_task()
        try:
            learned = learned_data(self.config.model)
            return QuestionAnswering(dataclasses.replace(self.config, **learned)).task if learned else None
        except InputError as error:
            logging.warning(_NOT_MEASURED, error)
            return None

    def reference(self) -> SpanReference:
        return SpanReference(self.model, self.task, self.examples, self.length)


def _card_of(model: str) -> str | None:
    """Returns the model card in a model's folder; None if there is none."""
    folder = path_of(model)
    cards = [place / CARD_FILE for place in (folder / "model", folder)]
    return next((card.read_text(encoding="utf-8", errors="replace") for card in cards if card.is_file()), None)


_JOBS = {Classification: _Export, QuestionAnswering: _ExportAnswers}


def _task_of(config: ExportConfig, model: BertClassifier) -> Task | None:
    """Returns the task to measure on: the one asked for, or the one that the model's run learned, or None."""
    if config.task or config.files:
        task = task_of(config, model)
        name_classes(model, task, "model")
        return task
    try:
        learned = learned_data(config.model)
        if not learned:
            return None
        task = task_of(dataclasses.replace(config, **learned), model)
        name_classes(model, task, "model")  # another file may be in the place of the one that it learned from
        return task
    except InputError as error:
        if abstaining.asked(config, on_dev=True):
            raise abstaining.unread(config, error) from None
        logging.warning(_NOT_MEASURED, error)
        return None


def _reads_pairs(model: str) -> bool:
    """Returns whether a model reads pairs, which its run says even where the run's data are gone."""
    try:
        found = learned_pairs(model)
    except InputError:  # which `_task_of` has told
        found = None
    if found is None:
        logging.info("The files take single texts; for a model of pairs give --task, or files and --text_pair_column.")
    return bool(found)


def summary(folder: RunDirectory) -> str:
    """Returns the table of what was measured of each file, and what to do next."""
    lines = claims.plain(folder.record["results"])
    files = sorted(entry.name for entry in folder.path.iterdir() if entry.name[0] != ".")
    lines += ["", f"Files    {folder.path}: {', '.join(files)}"]
    model = folder.path / "student.tflite"
    info = read_json(folder.path / SETTINGS) if model.name in files else {}
    if info.get("kind") == QUESTION_ANSWERING:
        lines.append(f"Next     tinybert_tf.tflite.QuestionAnswerer({str(model)!r}): docs/question_answering.md")
    elif model.name in files:
        pair = " --text_pair='…'" if info.get("text_pairs") else ""
        lines.append(f'Next     python -m tinybert_tf.tflite.classify --model={quote(str(model))}{pair} "A fine film."')
    elif "saved_model" in files:
        lines.append(f"Next     serve {folder.path / 'saved_model'} with TF Serving: docs/serving.md")
    elif "web" in files:
        lines.append(f"Next     python -m http.server --directory={quote(str(folder.path / 'web'))}")
    elif "onnx" in files:
        lines.append(f"Next     open {folder.path} in transformers.js or ONNX Runtime: docs/web.md")
    return "\n".join(lines)
