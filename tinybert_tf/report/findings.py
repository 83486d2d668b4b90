"""What an evaluation has found out, as a report."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.baselines import MAJORITY, NAMES, TFIDF
from tinybert_tf.evaluation.calibration import TARGETS, Confidence
from tinybert_tf.exporters import litert
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.models import BertClassifier
from tinybert_tf.report import charts
from tinybert_tf.report.page import Chart, Report, Row, Sample
from tinybert_tf.settings.stages import ExportConfig

_SAMPLES = 12  # texts in a list
_CHARACTERS = 400  # of a text that are shown
_MOST_CLASSES = 20  # in a confusion matrix
_TIMED = 300  # texts that the teacher's file is timed on


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
        who = "a student" if self.teacher is not None else "a model"
        size = f"{self.model.count_params() / 1e6:.1f} M parameters"
        return Report(
            title=task.name.replace("_", " "),
            question=f"How good is {who} of {size} on {len(self.examples):,} texts that it has not seen"
            + (" beside its teacher, and is it worth it beside a linear model?" if self.teacher is not None else "?"),
            verdict=[*self._verdict(), *self._cost(files)],
            metric=self.metric.replace("_", " "),
            rows=rows,
            charts=[*self._charts(rows)],
            classes=self.values.get("classes", []),
            confusion=self._confusion(),
            mistakes=self._samples(self._mistakes()),
            disagreements=self._samples(self._disagreements()),
            abstaining=self._abstaining(),
            settings=settings,
            command=command,
            versions=versions,
        )

    def _verdict(self) -> list[str]:
        sentences = []
        if self.teacher is not None:
            ours, theirs = self.values["metrics"][self.metric], self.values["teacher_metrics"][self.metric]
            low, high = self.values["difference_intervals"][self.metric]
            name = self.metric.replace("_", " ")
            kept = f"{100 * ours / theirs:.1f} % of its teacher's" if theirs else "none of its teacher's"
            sentences.append(
                f"The student keeps {kept} {name}: {100 * ours:.2f} of {100 * theirs:.2f} "
                f"(difference {100 * (ours - theirs):+.2f} points; "
                f"95 % interval: {100 * low:+.2f} to {100 * high:+.2f})."
            )
        return sentences + worth_it(self.values)

    def _cost(self, files: dict[str, dict]) -> list[str]:
        if "int8" not in files:
            return []
        found = files["int8"]
        sentence = f"As an int8 file it has {found['size_bytes'] / 1e6:.1f} MB"
        sentence += f" and takes {found['milliseconds_a_text']:.1f} ms per text on one thread of this machine"
        if "teacher" in files:
            times = files["teacher"]["milliseconds_a_text"] / found["milliseconds_a_text"]
            smaller = files["teacher"]["size_bytes"] / found["size_bytes"]
            sentence += f": {smaller:.1f} times smaller and {times:.1f} times as fast as its teacher in float32"
        return [sentence + "."]

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
        for axis, cost in (("ms per text, one thread", "milliseconds"), ("MB", "megabytes")):
            points = [charts.Point(row.name, getattr(row, cost), row.value, row.interval) for row in rows]
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

    def _confusion(self) -> tuple[list[str], list[list[int]]] | None:
        task = self.task
        if task.is_regression or task.multi_label or len(task.labels) > _MOST_CLASSES:
            return None
        table = metrics.confusion(self.examples.labels, self.logits["model"].argmax(1), len(task.labels))
        return list(task.labels), table.tolist()

    def _mistakes(self) -> np.ndarray:
        """Returns the places of wrong answers, the surest first; of numbers, those that are furthest off."""
        logits, labels = self.logits["model"], self.examples.labels
        if self.task.is_regression:
            return np.argsort(-np.abs(logits[:, 0] - labels), kind="stable")[:_SAMPLES]
        wrong = np.flatnonzero(~metrics.same_answers(metrics.predictions_of(logits, self.task.multi_label), labels))
        return wrong[np.argsort(-self._confidence()[wrong], kind="stable")][:_SAMPLES]

    def _disagreements(self) -> np.ndarray:
        if self.teacher is None or self.task.is_regression:
            return np.array([], int)
        ours, theirs = (
            metrics.predictions_of(self.logits[name], self.task.multi_label) for name in ("model", "teacher")
        )
        places = np.flatnonzero(~metrics.same_answers(ours, theirs))
        return places[np.argsort(-self._confidence()[places], kind="stable")][:_SAMPLES]

    def _confidence(self) -> np.ndarray:
        """Returns the probability of each text's answer; of several labels, that of the surest one."""
        probabilities = metrics.probabilities_of(self.logits["model"].astype(np.float64), self.task.multi_label)
        return (np.maximum(probabilities, 1 - probabilities) if self.task.multi_label else probabilities).max(axis=1)

    def _samples(self, places: np.ndarray) -> list[Sample]:
        answers = {
            name: metrics.predictions_of(self.logits[name], self.task.multi_label)
            for name in ("model", "teacher")
            if name in self.logits
        }
        sure = None if self.task.is_regression else self._confidence()
        return [
            Sample(
                _shortened(self.examples, place),
                self._shown(self.examples.labels[place]),
                self._shown(answers["model"][place]),
                None if sure is None else float(sure[place]),
                self._shown(answers["teacher"][place]) if "teacher" in answers else "",
            )
            for place in places
        ]

    def _shown(self, answer) -> str:
        if self.task.multi_label:
            return ", ".join(label for label, has_it in zip(self.task.labels, answer) if has_it) or "none"
        return f"{float(answer):.4g}" if self.task.is_regression else self.task.labels[int(answer)]


def worth_it(values: dict) -> list[str]:
    """Returns a sentence on whether a model beats the linear baseline; [] where there is none.

    Args:
        values: A split's results, with `baselines`.
    """
    found = values.get("baselines", {}).get(TFIDF) or values.get("baselines", {}).get(MAJORITY)
    if not found:
        return []
    metric = next(iter(values["metrics"]))
    ours, theirs = values["metrics"][metric], found["metrics"][metric]
    low, high = found["difference_intervals"][metric]
    name = NAMES[TFIDF if TFIDF in values["baselines"] else MAJORITY]
    numbers = f"{100 * theirs:.2f}, {100 * (ours - theirs):+.2f} points for the model"
    numbers += f"; 95 % interval: {100 * low:+.2f} to {100 * high:+.2f}"
    if low > 0:
        return [f"It is better than {name}, which takes seconds to train ({numbers})."]
    return [
        f"It is not shown to be better than {name}, which takes seconds to train ({numbers}): not worth it as it is."
    ]


def measured_files(model: BertClassifier, teacher: BertClassifier | None, task: Task, examples: Examples, length: int):
    """Returns what is measured of LiteRT files: of the model in "float32" and "int8", of the "teacher" in float32."""
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(model, task, examples, length)
        found = litert.export(reference, Path(folder), ExportConfig(variants=("float32", "int8")))
        files |= {part["variant"]: part for part in found.values()}
        if teacher is not None:
            some = examples.take(np.arange(min(len(examples), _TIMED)))
            found = litert.export(
                Reference(teacher, task, some, length), Path(folder), ExportConfig(variants=("float32",))
            )
            files["teacher"] = found["student.tflite"]
    return files


def _thinned(xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns at most 200 points of a curve, without the first few, which are of too few texts to mean anything."""
    kept = xs >= 0.05
    xs, ys = xs[kept], ys[kept]
    step = max(1, len(xs) // 200)
    return xs[::step], ys[::step]


def _shortened(examples: Examples, place: int) -> str:
    texts = [examples.texts[place]] + ([examples.text_pairs[place]] if examples.text_pairs is not None else [])
    return "\n".join(text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + " …" for text in texts)
