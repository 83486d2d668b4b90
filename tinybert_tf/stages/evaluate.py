"""Evaluation: a model's metrics with intervals, beside its teacher's, and its predictions as files."""

import dataclasses
from pathlib import Path

import numpy as np

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.glue import GLUE_TASKS, write_submission
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.answer_files import write_predictions, write_table
from tinybert_tf.evaluation.baselines import baselines
from tinybert_tf.evaluation.by_class import ClassReport, confusion_lines
from tinybert_tf.evaluation.calibration import Confidence, fit_temperature
from tinybert_tf.evaluation.flops import size_of
from tinybert_tf.evaluation.prediction import Predictor, cached_logits
from tinybert_tf.kinds import Classification, QuestionAnswering, kind_of
from tinybert_tf.kinds.classification import classifier_of, name_classes, task_of
from tinybert_tf.report.curves import training_curves
from tinybert_tf.report.files import measured_files
from tinybert_tf.report.findings import Findings
from tinybert_tf.report.page import REPORT, write_report
from tinybert_tf.report.verdict import worth_it
from tinybert_tf.settings.stages import EvaluateConfig
from tinybert_tf.stages.common import check_null_threshold, check_threshold, command, task_length
from tinybert_tf.stages.evaluate_answers import EvaluateAnswers
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.run_directory import RunDirectory

_SHORT = {"exact_match": "EM"}  # names that are too long for a table


def run(config: EvaluateConfig) -> RunDirectory:
    """Evaluates `model` on a split of a task, and on its mismatched counterpart in MNLI.

    Writes `predictions.jsonl`; `classes.csv` and, where each text has one class, `confusion.csv`; `report.html` where
    there are labels; GLUE's submission files if the task has them; and the results in `run.json`. For questions see
    `EvaluateAnswers`.
    """
    return _JOBS[kind_of(config)](config).run()


def summary(folder: RunDirectory) -> str:
    """Returns a table per split, where the files are, and what to run next."""
    results = folder.record["results"]
    lines = []
    for name, values in results["splits"].items():
        lines += [f"{name}: {values['examples']:,} examples", *_metric_lines(values), ""]
        lines += [f"{sentence}\n" for sentence in worth_it(values)]
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
        check_null_threshold(config.null_threshold)
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
        self.findings = None
        for name in self.splits:
            results["splits"][name] = self._evaluate_split(name)
        self._write_submissions()
        if self.findings is not None:
            self._write_report()
        return results

    def _tokens(self, examples: Examples) -> TokenizedExamples:
        return TokenizedExamples(examples, self.model.tokenizer, self.length)

    def _logits(self, tokens: TokenizedExamples) -> np.ndarray:
        """Returns the model's logits, in the task's order of labels."""
        return self.predictor.logits(tokens)[:, self.task.columns_of(self.model.labels)]

    def _teachers_logits(self, examples: Examples) -> np.ndarray | None:
        if self.teacher is None:
            return None
        logits = cached_logits(self.teacher, examples, self.length, self.config.batch_size)
        return logits[:, self.task.columns_of(self.teacher.labels)]

    def _evaluate_split(self, split: str) -> dict:
        """Writes the split's files; returns its results."""
        task, examples, folder = self.task, self.task.split(split), self.folder.path
        tokens = self._tokens(examples)
        logits = self._logits(tokens)
        theirs = self._teachers_logits(examples)
        suffix = "" if "_" not in split else f"_{split.split('_', 1)[1]}"
        write_predictions(folder / f"predictions{suffix}.jsonl", task, examples, logits, theirs, self.threshold)
        values = {"examples": len(examples), "truncated": tokens.num_truncated}
        if theirs is not None and not task.is_regression:
            ours, others = (metrics.predictions_of(part, task.multi_label, self.threshold) for part in (logits, theirs))
            values["agreement"] = float(np.mean(metrics.same_answers(ours, others)))
        if examples.labels is not None:
            values |= self._measured(examples, logits, theirs, suffix)
            others = baselines(task, examples, self.config.seed)
            values["baselines"] = {name: self._baseline(examples, logits, found) for name, found in others.items()}
            temperature, dev = self._calibrated(split)
            values["calibration"] = self._calibration(examples, logits, temperature)
            if self.findings is None:
                found = others | {"model": logits} | ({} if theirs is None else {"teacher": theirs})
                self.findings = Findings(
                    task,
                    examples,
                    self.model,
                    self.teacher,
                    found,
                    tokens.lengths,
                    self.length,
                    values,
                    temperature,
                    dev,
                )
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
            write_table(self.folder.path / f"classes{suffix}.csv", report.rows())
        if not task.is_regression and not task.multi_label:
            table = metrics.confusion(examples.labels, logits.argmax(1), len(task.labels))
            columns = ("label \\ prediction", *task.labels)
            rows = [dict(zip(columns, (label, *row))) for label, row in zip(task.labels, table.tolist())]
            write_table(self.folder.path / f"confusion{suffix}.csv", rows)
            values["confusion"] = confusion_lines(task.labels, table)
        return values

    def _intervals(self, examples: Examples, logits: np.ndarray, theirs: np.ndarray | None) -> dict:
        options = {"seed": self.config.seed, "threshold": self.threshold}
        return {name: metrics.bootstrap(name, examples.labels, logits, theirs, **options) for name in self.task.metrics}

    def _baseline(self, examples: Examples, logits: np.ndarray, found: np.ndarray) -> dict:
        """Returns a baseline's metrics, and the interval of the model's advance."""
        values = metrics.compute(self.task.metrics, examples.labels, found, self.threshold)
        return {"metrics": values, "difference_intervals": self._intervals(examples, logits, found)}

    def _calibrated(self, split: str) -> tuple[float | None, Confidence | None]:
        """Returns the temperature that fits dev, and the confidence there; None for numbers, or if `split` is dev."""
        dev = self.task.splits.get("dev")
        if split.startswith("dev") or dev is None or dev.labels is None or self.task.is_regression or not len(dev):
            return None, None
        logits = self._logits(self._tokens(dev))
        temperature = fit_temperature(logits, dev.labels)
        return temperature, Confidence.of(logits, dev.labels, temperature)

    def _calibration(self, examples: Examples, logits: np.ndarray, temperature: float | None) -> dict:
        """Returns the expected calibration error; with a temperature also that one, and the error it leaves."""
        if self.task.is_regression:
            return {}
        values = {"error": Confidence.of(logits, examples.labels).calibration_error()}
        if temperature is not None:
            left = Confidence.of(logits, examples.labels, temperature).calibration_error()
            values |= {"temperature": temperature, "error_at_temperature": left}
        return values

    def _write_report(self) -> None:
        found, config = self.findings, self.config
        files = {}
        if config.litert:
            files = measured_files(self.model, self.teacher, self.task, found.examples, self.length)
        found = dataclasses.replace(found, curves=training_curves(Path(config.model), found.metric))
        settings = {"model": config.model, "teacher": config.teacher, "tokens": self.length, "seed": config.seed}
        defaults = {field.name: field.default for field in dataclasses.fields(config)}
        given = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        given = {name: value for name, value in given.items() if value != defaults[name]}
        given = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in given.items()}
        report = found.report(files, command("evaluate", **given), settings, self.folder.record["versions"])
        write_report(self.folder.path / REPORT, report)

    def _write_submissions(self) -> None:
        """Writes GLUE's files for the splits whose labels it keeps secret."""
        glue = GLUE_TASKS.get(self.task.name)
        for split, name in (glue.submission if glue else {}).items():
            if split not in self.task.splits:  # --glue_dir without the file
                continue
            examples = self.task.splits[split]
            predictions = metrics.predictions_of(self._logits(self._tokens(examples)))
            write_submission(self.folder.path / name, glue, examples.ids, predictions, self.task.labels)


_JOBS = {Classification: _Evaluate, QuestionAnswering: EvaluateAnswers}
