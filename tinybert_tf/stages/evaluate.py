"""Evaluation: a model's metrics with intervals, beside its teacher's, and its predictions as files."""

import csv
import json

import numpy as np

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.glue import GLUE_TASKS, write_submission
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.by_class import MOST_CLASSES, ClassReport
from tinybert_tf.evaluation.flops import size_of
from tinybert_tf.evaluation.prediction import Predictor, cached_logits
from tinybert_tf.files import write_whole
from tinybert_tf.kinds import Classification, QuestionAnswering, kind_of
from tinybert_tf.kinds.classification import classifier_of, name_classes, task_of
from tinybert_tf.settings.stages import EvaluateConfig
from tinybert_tf.stages.common import check_threshold, command, task_length
from tinybert_tf.stages.evaluate_answers import EvaluateAnswers
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.run_directory import RunDirectory

_SHORT = {"exact_match": "EM"}  # names that are too long for a table
_MOST_CONFUSIONS = 10  # that are shown, where there are too many classes for a matrix


def run(config: EvaluateConfig) -> RunDirectory:
    """Evaluates `model` on a split of a task, and on its mismatched counterpart in MNLI.

    Writes `predictions.jsonl`; `classes.csv` and, where each text has one class, `confusion.csv`; GLUE's submission
    files if the task has them; and the results in `run.json`. For questions see `EvaluateAnswers`.
    """
    return _JOBS[kind_of(config)](config).run()


def summary(folder: RunDirectory) -> str:
    """Returns a table per split, where the files are, and what to run next."""
    results = folder.record["results"]
    lines = []
    for name, values in results["splits"].items():
        lines += [f"{name}: {values['examples']:,} examples", *_metric_lines(values), ""]
        for part in ("by_class", "confusion"):
            lines += [*values[part], ""] if values.get(part) else []
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
        line = f"{_SHORT.get(name, name):10}{100 * value:8.2f}{f'{100 * low:.2f} to {100 * high:.2f}':>18}"
        if with_teacher:
            theirs, (low, high) = values["teacher_metrics"][name], values["difference_intervals"][name]
            kept = f"{100 * value / theirs:.2f} %" if theirs else "-"
            line += f"{100 * theirs:10.2f}{kept:>9}{100 * (value - theirs):+13.2f}"
            line += f"{f'{100 * low:+.2f} to {100 * high:+.2f}':>18}"
        lines.append(line)
    for name, value in values.get("errors", {}).items():
        theirs = f", the teacher's {values['teacher_errors'][name]:.4g}" if with_teacher else ""
        lines.append(f"{name:10}{value:8.4g}{theirs}, in the unit of the labels")
    if "agreement" in values:
        lines.append(f"The two agree on {100 * values['agreement']:.2f} % of the examples.")
    return lines


class _Evaluate(Job):
    stage = "evaluate"

    def read(self) -> dict[str, str]:
        config = self.config
        self.model = classifier_of(config.model, "model")
        self.task = task_of(config, self.model, config.teacher_labels)
        self.teacher = classifier_of(config.teacher, "teacher") if config.teacher else None
        for name, classifier in (("model", self.model), ("teacher", self.teacher)):
            if classifier is not None:
                own = name == "model" and self.teacher is not None and self.task.has_classes(classifier.labels)
                name_classes(classifier, self.task, name, () if own else config.teacher_labels)
        check_threshold(config.threshold, self.model)
        self.length = task_length(config, self.task, *filter(None, (self.model, self.teacher)))
        split = config.split or self.task.report_split
        self.splits = [name for name in self.task.splits if name == split or name.startswith(f"{split}_")]
        if not self.splits:
            raise InputError("split", split, f"one of {', '.join(self.task.splits)}")
        teacher = digests_of(teacher=self.teacher) if self.teacher else {"teacher": ""}
        return {**digests_of(model=self.model), "task": self.task.fingerprint(), **teacher}

    def work(self) -> dict:
        self.threshold = self.config.threshold
        self.predictor = Predictor(self.model, self.config.batch_size)
        results = {"splits": {}, "model": size_of(self.model, self.length)}
        if self.teacher is not None:
            results["teacher"] = size_of(self.teacher, self.length)
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
        _write_predictions(folder / f"predictions{suffix}.jsonl", task, examples, logits, theirs, self.threshold)
        values = {"examples": len(examples), "truncated": truncated}
        if theirs is not None and not task.is_regression:
            ours, others = (metrics.predictions_of(part, task.multi_label, self.threshold) for part in (logits, theirs))
            values["agreement"] = float(np.mean(metrics.same_answers(ours, others)))
        if examples.labels is not None:
            values |= self._measured(examples, logits, theirs, suffix)
        return values

    def _measured(self, examples: Examples, logits: np.ndarray, theirs: np.ndarray | None, suffix: str) -> dict:
        """Returns a labelled split's metrics; writes the files by class."""
        task, values = self.task, {}
        errors = metrics.ERRORS if task.is_own and task.is_regression else ()
        for who, found in (("", logits), ("teacher_", theirs)):
            if found is not None:
                values[f"{who}metrics"] = metrics.compute(task.metrics, examples.labels, found, self.threshold)
                values |= {f"{who}errors": metrics.compute(errors, examples.labels, found)} if errors else {}
        values["intervals"] = self._intervals(examples, logits, None)
        if theirs is not None:
            values["difference_intervals"] = self._intervals(examples, logits, theirs)
        if not task.is_regression:
            report = ClassReport.of(task, examples.labels, logits, self.threshold)
            values["by_class"] = report.lines()
            _write_table(self.folder.path / f"classes{suffix}.csv", report.rows())
        if not task.is_regression and not task.multi_label:
            table = metrics.confusion(examples.labels, logits.argmax(1), len(task.labels))
            columns = ("label \\ prediction", *task.labels)
            rows = [dict(zip(columns, (label, *row))) for label, row in zip(task.labels, table.tolist())]
            _write_table(self.folder.path / f"confusion{suffix}.csv", rows)
            values["confusion"] = _confusion_lines(task.labels, table)
        return values

    def _intervals(self, examples: Examples, logits: np.ndarray, theirs: np.ndarray | None) -> dict:
        options = {"seed": self.config.seed, "threshold": self.threshold}
        return {name: metrics.bootstrap(name, examples.labels, logits, theirs, **options) for name in self.task.metrics}

    def _write_submissions(self) -> None:
        """Writes GLUE's files for the splits whose labels it keeps secret."""
        glue = GLUE_TASKS.get(self.task.name)
        for split, name in (glue.submission if glue else {}).items():
            if split not in self.task.splits:  # --glue_dir without the file
                continue
            examples = self.task.splits[split]
            predictions = metrics.predictions_of(self._logits(examples)[0])
            write_submission(self.folder.path / name, glue, examples.ids, predictions, self.task.labels)


def _write_predictions(path, task: Task, examples, logits: np.ndarray, theirs: np.ndarray | None, threshold) -> None:
    """Writes one JSON object per example: id, label, prediction, logits, and the teacher's prediction."""
    answers = metrics.predictions_of(logits, task.multi_label, threshold)
    teachers = None if theirs is None else metrics.predictions_of(theirs, task.multi_label, threshold)

    def shown(value):
        if task.multi_label:
            return [label for label, has_it in zip(task.labels, value) if has_it]
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


def _write_table(path, rows: list[dict]) -> None:
    """Writes rows of equal keys as CSV."""
    with write_whole(path) as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _confusion_lines(labels, table: np.ndarray) -> list[str]:
    """Returns the confusion matrix for people; of more classes than a screen holds, the most frequent confusions.

    Labels are in rows, predictions in columns, which have numbers.
    """
    if len(labels) > MOST_CLASSES:
        return _worst_confusions(labels, table)
    width = max(5, len(str(table.max())) + 1)
    names = [f"{i + 1} {label}" for i, label in enumerate(labels)]
    first = max(map(len, names)) + 1
    lines = [f"{'label, predicted as':{max(first, 20)}}" + "".join(f"{i + 1:>{width}}" for i in range(len(labels)))]
    for name, row in zip(names, table):
        lines.append(f"{name:{max(first, 20)}}" + "".join(f"{count:>{width}}" for count in row))
    return lines


def _worst_confusions(labels, table: np.ndarray) -> list[str]:
    wrong = table - np.diag(np.diag(table))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(labels)) for place in order if wrong.flat[place]]
    lines = [f"Most frequent confusions of {len(labels)} classes; confusion.csv has all:"] if pairs else []
    return lines + [f"{wrong[i, j]:>6} x {labels[i]} taken for {labels[j]}" for i, j in pairs]


_JOBS = {Classification: _Evaluate, QuestionAnswering: EvaluateAnswers}
