"""What an evaluation has found out, as a report."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.baselines import NAMES, TFIDF
from tinybert_tf.evaluation.by_class import ClassReport
from tinybert_tf.evaluation.calibration import TARGETS, Confidence
from tinybert_tf.models import BertClassifier
from tinybert_tf.report import charts
from tinybert_tf.report.page import Chart, Report, Row
from tinybert_tf.report.samples import Samples
from tinybert_tf.report.verdict import cost, kept, worth_it

_MOST_CLASSES = 20  # in a confusion matrix


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is known of a model on one labelled split.

    Args:
        task: The task.
        examples: The split's examples.
        model: The evaluated model.
        teacher: The model it is compared with, or None.
        logits: Its logits `[examples, classes]` in the task's order, by "model", "teacher" and the baselines' names.
        lengths: Number of tokens of each text.
        length: Most tokens that the models look at.
        values: The split's results, as in `run.json`.
        temperature: Temperature that was fitted on dev; None if there is no other labelled split.
        dev: Confidence on dev at that temperature, or None.
        curves: Lines of the model's training: values at steps, by name.
    """

    task: Task
    examples: Examples
    model: BertClassifier
    teacher: BertClassifier | None
    logits: dict[str, np.ndarray]
    lengths: np.ndarray
    length: int
    values: dict
    temperature: float | None
    dev: Confidence | None
    curves: dict[str, tuple[list, list]] = dataclasses.field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The task's first metric, which the report is about."""
        return self.task.metrics[0]

    def report(self, files: dict[str, dict], command: str, settings: dict, versions: dict) -> Report:
        """Returns the report.

        Args:
            files: What `measured_files` has measured; {} if nothing was.
            command: The command that made the evaluation.
            settings: Its settings that say something to a reader.
            versions: Versions of the software.
        """
        rows, task = self._rows(files), self.task
        samples = Samples(task, self.examples, self.logits)
        who = "a student" if self.teacher is not None else "a model"
        size = f"{self.model.count_params() / 1e6:.1f} M parameters"
        return Report(
            title=task.name.replace("_", " "),
            question=f"How good is {who} of {size} on {len(self.examples):,} texts that it has not seen"
            + (" beside its teacher, and is it worth it beside a linear model?" if self.teacher is not None else "?"),
            verdict=[*kept(self.values), *worth_it(self.values), *cost(files)],
            metric=self.metric.replace("_", " "),
            rows=rows,
            charts=[*self._charts(rows)],
            classes=self._classes(),
            confusion=self._confusion(),
            mistakes=samples.mistakes(),
            disagreements=samples.disagreements(),
            abstaining=self._abstaining(),
            settings=settings,
            command=command,
            versions=versions,
        )

    def _rows(self, files: dict[str, dict]) -> list[Row]:
        metric, values, rows = self.metric, self.values, []

        def measured(name: str) -> tuple[float | None, float | None]:
            found = files.get(name)
            return (None, None) if found is None else (found["size_bytes"] / 1e6, found["milliseconds_a_text"])

        if self.teacher is not None:
            interval = metrics.bootstrap(metric, self.examples.labels, self.logits["teacher"])
            rows.append(Row("teacher", values["teacher_metrics"][metric], interval, *measured("teacher"), "float32"))
        name = "student" if self.teacher is not None else "model"
        rows.append(Row(name, values["metrics"][metric], values["intervals"][metric], *measured("float32"), "float32"))
        if "int8" in files:
            quantized = files["int8"]["metrics"][metric]
            same = files["int8"].get("agreement")
            note = "" if same is None else f"the same answer for {100 * same:.2f} %"
            rows.append(Row(f"{name}, int8", quantized, None, *measured("int8"), note))
        for key, found in values.get("baselines", {}).items():
            rows.append(
                Row(NAMES[key], found["metrics"][metric], None, note="trained in seconds" if key == TFIDF else "")
            )
        return rows

    def _charts(self, rows: Sequence[Row]):
        name, shown = self.metric.replace("_", " "), "" if self.metric in metrics.ERRORS else "y"
        baseline = next(((row.name, row.value) for row in rows if row.name == NAMES[TFIDF]), None)
        for axis, column in (("ms per text, one thread", "milliseconds"), ("MB", "megabytes")):
            points = [charts.Point(row.name, getattr(row, column), row.value, row.interval) for row in rows]
            points = [point for point in points if point.cost]
            if len(points) > 1:
                caption = "Up and to the left is better. Bars are 95 % intervals."
                yield Chart(f"{name} against {axis}", charts.pareto(points, baseline, axis, name), caption)
        for title, line in self.curves.items():
            drawing = charts.curves({title: line}, "step", title, "" if title == "loss" else shown)
            yield Chart(title, drawing, "While the model learned.")
        if not self.task.is_regression:
            ours = {"as it is": Confidence.of(self.logits["model"], self.examples.labels)}
            if self.temperature is not None:
                calibrated = Confidence.of(self.logits["model"], self.examples.labels, self.temperature)
                ours[f"temperature {self.temperature:.2f}"] = calibrated
            errors = ", ".join(f"{name}: {100 * part.calibration_error():.1f} %" for name, part in ours.items())
            drawing = charts.reliability({name: part.bins() for name, part in ours.items()})
            caption = f"Calibrated answers lie on the diagonal. Expected calibration error: {errors}."
            yield Chart("Can the confidence be believed?", drawing, caption)
            covered = {
                "student" if name == "model" else name: Confidence.of(self.logits[name], self.examples.labels)
                for name in ("model", "teacher")
                if name in self.logits
            }
            drawing = charts.curves(
                {name: _thinned(*part.curve()) for name, part in covered.items()},
                "share of texts that are answered, surest first",
                "accuracy of these",
                "xy",
            )
            yield Chart("If the model may abstain", drawing, "Accuracy of the surest answers.")
        drawing = charts.histogram(self.lengths, self.length)
        yield Chart(
            "How long the texts are", drawing, f"{self.values['truncated']:,} of {len(self.examples):,} are cut."
        )

    def _abstaining(self) -> list[dict]:
        if self.dev is None:
            return []
        test = Confidence.of(self.logits["model"], self.examples.labels, self.temperature)
        rows = []
        for wanted in TARGETS:
            threshold = self.dev.threshold_for(wanted)
            rows.append({"wanted": wanted, "threshold": None} | ({} if threshold is None else test.at(threshold)))
        return rows

    def _classes(self) -> list[dict]:
        if self.task.is_regression:
            return []
        return ClassReport.of(self.task, self.examples.labels, self.logits["model"]).rows()

    def _confusion(self) -> tuple[list[str], list[list[int]]] | None:
        task = self.task
        if task.is_regression or task.multi_label or len(task.labels) > _MOST_CLASSES:
            return None
        table = metrics.confusion(self.examples.labels, self.logits["model"].argmax(1), len(task.labels))
        return list(task.labels), table.tolist()


def _thinned(xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns at most 200 points of a curve, without the first few, which are of too few texts to mean anything."""
    kept = xs >= 0.05
    xs, ys = xs[kept], ys[kept]
    step = max(1, len(xs) // 200)
    return xs[::step], ys[::step]
