"""Evaluation: a classifier's metrics with intervals, beside its teacher's, and its predictions as files."""

import csv
import json

import numpy as np
import sklearn.metrics

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.glue import GLUE_TASKS, write_submission
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.flops import forward_flops
from tinybert_tf.evaluation.prediction import Predictor, cached_logits
from tinybert_tf.files import write_whole
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import EvaluateConfig
from tinybert_tf.stages.common import classifier_of, command, name_classes, task_length, task_of
from tinybert_tf.stages.job import Job
from tinybert_tf.training.run_directory import RunDirectory, digest_of


def run(config: EvaluateConfig) -> RunDirectory:
    """Evaluates `model` on a split of a task, and on its mismatched counterpart in MNLI.

    Writes `predictions.jsonl`, `confusion.csv`, GLUE's submission files if the task has them, and the results in
    `run.json`.
    """
    return _Evaluate(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns a table per split, where the files are, and what to run next."""
    results = folder.record["results"]
    lines = []
    for name, values in results["splits"].items():
        lines += [f"{name}: {values['examples']:,} examples", *_metric_lines(values), ""]
        lines += [*values.get("confusion", []), ""] if values.get("confusion") else []
    lines.append(
        f"Files    {folder.path}: " + ", ".join(sorted(p.name for p in folder.path.iterdir() if p.name[0] != "."))
    )
    lines.append(f"Next     {command('predict', model=folder.record['settings']['model'])}")
    return "\n".join(lines)


def _metric_lines(values: dict) -> list[str]:
    """Returns a table of each metric, its 95 % interval, and how it compares with the teacher's."""
    if "metrics" not in values:
        return ["no labels: predictions only"]
    with_teacher = "teacher_metrics" in values
    header = f"{'':10}{'model':>8}{'95 % interval':>18}"
    lines = [header + (f"{'teacher':>10}{'kept':>9}{'difference':>13}{'95 % interval':>18}" if with_teacher else "")]
    for name, value in values["metrics"].items():
        low, high = values["intervals"][name]
        line = f"{name:10}{100 * value:8.2f}{f'{100 * low:.2f} to {100 * high:.2f}':>18}"
        if with_teacher:
            theirs, (low, high) = values["teacher_metrics"][name], values["difference_intervals"][name]
            kept = f"{100 * value / theirs:.2f} %" if theirs else "-"
            line += f"{100 * theirs:10.2f}{kept:>9}{100 * (value - theirs):+13.2f}"
            line += f"{f'{100 * low:+.2f} to {100 * high:+.2f}':>18}"
        lines.append(line)
    if "agreement" in values:
        lines.append(f"The two agree on {100 * values['agreement']:.2f} % of the examples.")
    return lines


class _Evaluate(Job):
    stage = "evaluate"

    def read(self) -> dict[str, str]:
        config = self.config
        self.model = classifier_of(config.model, "model")
        self.task = task_of(config, self.model)
        self.teacher = classifier_of(config.teacher, "teacher") if config.teacher else None
        for name, classifier in (("model", self.model), ("teacher", self.teacher)):
            if classifier is not None:
                name_classes(classifier, self.task, name, config.teacher_labels)
        self.length = task_length(config, self.task, *filter(None, (self.model, self.teacher)))
        split = config.split or self.task.report_split
        self.splits = [name for name in self.task.splits if name == split or name.startswith(f"{split}_")]
        if not self.splits:
            raise InputError("split", split, f"one of {', '.join(self.task.splits)}")
        teacher = digest_of(self.teacher) if self.teacher else ""
        return {"model": digest_of(self.model), "task": self.task.fingerprint(), "teacher": teacher}

    def work(self) -> dict:
        self.predictor = Predictor(self.model, self.config.batch_size)
        results = {"splits": {}, "model": _size(self.model, self.length)}
        if self.teacher is not None:
            results["teacher"] = _size(self.teacher, self.length)
        for name in self.splits:
            results["splits"][name] = self._evaluate_split(name)
        self._write_submissions()
        return results

    def _logits(self, examples: Examples) -> tuple[np.ndarray, int]:
        """Returns the model's logits, in the task's order of labels, and the number of texts that were cut."""
        tokens = TokenizedExamples(examples, self.model.tokenizer, self.length)
        return self.predictor.logits(tokens)[:, self.task.columns_of(self.model.labels)], tokens.num_truncated

    def _teachers_logits(self, examples: Examples) -> np.ndarray | None:
        if self.teacher is None:
            return None
        logits = cached_logits(self.teacher, examples, self.length, self.config.batch_size)
        return logits[:, self.task.columns_of(self.teacher.labels)]

    def _evaluate_split(self, split: str) -> dict:
        """Writes the split's files; returns its results."""
        task, examples, folder = self.task, self.task.split(split), self.folder.path
        logits, truncated = self._logits(examples)
        theirs = self._teachers_logits(examples)
        suffix = "" if "_" not in split else f"_{split.split('_', 1)[1]}"
        _write_predictions(folder / f"predictions{suffix}.jsonl", task, examples, logits, theirs)
        values = {"examples": len(examples), "truncated": truncated}
        if theirs is not None and not task.is_regression:
            values["agreement"] = float(np.mean(logits.argmax(1) == theirs.argmax(1)))
        if examples.labels is None:
            return values
        values["metrics"] = metrics.compute(task.metrics, examples.labels, logits)
        values["intervals"] = _intervals(task, examples, logits, None, self.config.seed)
        if theirs is not None:
            values["teacher_metrics"] = metrics.compute(task.metrics, examples.labels, theirs)
            values["difference_intervals"] = _intervals(task, examples, logits, theirs, self.config.seed)
        if not task.is_regression:
            numbers = range(len(task.labels))
            table = sklearn.metrics.confusion_matrix(examples.labels, logits.argmax(1), labels=list(numbers))
            _write_confusion(folder / f"confusion{suffix}.csv", task.labels, table)
            values["confusion"] = _confusion_lines(task.labels, table)
        return values

    def _write_submissions(self) -> None:
        """Writes GLUE's files for the splits whose labels it keeps secret."""
        glue = GLUE_TASKS.get(self.task.name)
        for split, name in (glue.submission if glue else {}).items():
            examples = self.task.splits[split]
            predictions = metrics.predictions_of(self._logits(examples)[0])
            write_submission(self.folder.path / name, glue, examples.ids, predictions, self.task.labels)


def _intervals(task: Task, examples, logits, theirs, seed: int) -> dict:
    return {name: metrics.bootstrap(name, examples.labels, logits, theirs, seed) for name in task.metrics}


def _size(model: BertClassifier, length: int) -> dict:
    parameters = model.count_params()
    return {
        "parameters": parameters,
        "size_bytes": 4 * parameters,
        "flops": forward_flops(model.config, length),
        "length": length,
    }


def _write_predictions(path, task: Task, examples, logits: np.ndarray, theirs: np.ndarray | None) -> None:
    """Writes one JSON object per example: id, label, prediction, logits, and the teacher's prediction."""
    answers = metrics.predictions_of(logits)
    teachers = None if theirs is None else metrics.predictions_of(theirs)

    def shown(value):
        return float(value) if task.is_regression else task.labels[int(value)]

    with write_whole(path) as stream:
        for i in range(len(examples)):
            row = {"id": examples.ids[i] if examples.ids is not None else i, "prediction": shown(answers[i])}
            row["logits"] = [round(float(value), 5) for value in logits[i]]
            if examples.labels is not None:
                row["label"] = shown(examples.labels[i])
            if teachers is not None:
                row["teacher"] = shown(teachers[i])
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_confusion(path, labels, table: np.ndarray) -> None:
    with write_whole(path) as stream:
        writer = csv.writer(stream)
        writer.writerow(["label \\ prediction", *labels])
        writer.writerows([label, *row] for label, row in zip(labels, table.tolist()))


def _confusion_lines(labels, table: np.ndarray) -> list[str]:
    """Returns the confusion matrix for people: labels in rows, predictions in columns, which have numbers."""
    width = max(5, len(str(table.max())) + 1)
    names = [f"{i + 1} {label}" for i, label in enumerate(labels)]
    first = max(map(len, names)) + 1
    lines = [f"{'label, predicted as':{max(first, 20)}}" + "".join(f"{i + 1:>{width}}" for i in range(len(labels)))]
    for name, row in zip(names, table):
        lines.append(f"{name:{max(first, 20)}}" + "".join(f"{count:>{width}}" for count in row))
    return lines
