"""How well each class is found, which accuracy hides where classes are uneven."""

import dataclasses
import textwrap

import numpy as np

from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics

MOST_CLASSES = 20  # that are shown on a screen
_MOST_CONFUSIONS = 10  # that are shown, where there are too many classes for a matrix
_WIDTH = 90  # characters of a line
# From these differences on, between accuracy and macro F1 or the lowest recall, classes are shown one by one.
_MACRO_DIFFERENCE, _RECALL_DIFFERENCE = 0.01, 0.2


@dataclasses.dataclass(frozen=True)
class ClassReport:
    """Counts of each class among some examples.

    Args:
        labels: Names of the classes.
        counts: How often each class is the label, is predicted, and is both: `[3, classes]`.
        examples: Number of examples.
        uneven: Whether one number for all classes would hide that some are found less often than others.
    """

    labels: tuple[str, ...]
    counts: np.ndarray
    examples: int
    uneven: bool

    @classmethod
    def of(cls, task: Task, labels: np.ndarray, logits: np.ndarray, threshold: float = 0.5) -> "ClassReport":
        """Returns the report of logits `[examples, classes]` in the task's order."""
        predictions = metrics.predictions_of(logits, task.multi_label, threshold)
        counts = metrics.counts_by_class(labels, predictions, len(task.labels))
        values = metrics.compute(("micro_f1", "macro_f1"), labels, logits, threshold)
        overall = values["micro_f1"]  # which is accuracy where each text has one class
        lowest = min((both / true for true, _, both in counts.T if true), default=overall)
        uneven = abs(overall - values["macro_f1"]) >= _MACRO_DIFFERENCE or overall - lowest >= _RECALL_DIFFERENCE
        return cls(task.labels, counts, len(labels), uneven)

    @property
    def recall(self) -> np.ndarray:
        """The share of each class's examples that is found, `[classes]`; NaN for a class without examples."""
        return np.divide(self.counts[2], self.counts[0], np.full(len(self.labels), np.nan), where=self.counts[0] > 0)

    def rows(self) -> list[dict]:
        """Returns each class's label, number of examples, precision, recall and F1, in the order of the classes."""
        true, predicted, both = self.counts
        rows = []
        for i, label in enumerate(self.labels):
            row = {"label": label, "examples": int(true[i]), "predicted": int(predicted[i])}
            row["precision"] = float(both[i] / predicted[i]) if predicted[i] else None
            row["recall"] = float(both[i] / true[i]) if true[i] else None
            row["f1"] = float(2 * both[i] / max(1, true[i] + predicted[i]))
            rows.append(row)
        return rows

    def lines(self) -> list[str]:
        """Returns the share of the most frequent class and the recall of each, lowest first; [] where all are alike."""
        if not self.uneven:
            return []
        most, recall = int(self.counts[0].argmax()), self.recall
        order = [i for i in np.argsort(recall, kind="stable") if self.counts[0][i]]
        shown = [f"{self.labels[i]} {100 * recall[i]:.2f} of {self.counts[0][i]}" for i in order[:MOST_CLASSES]]
        more = f", … ({len(order)} classes)" if len(order) > MOST_CLASSES else ""
        share = f"{100 * self.counts[0][most] / self.examples:.2f} % of the examples are {self.labels[most]}, the most"
        return [share, *textwrap.wrap("Recall, lowest first: " + ", ".join(shown) + more, _WIDTH)]


def confusion_lines(labels, table: np.ndarray) -> list[str]:
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
