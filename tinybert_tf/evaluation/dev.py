"""A model's metrics on dev, by which the best checkpoint is chosen."""

import numpy as np

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.label_scale import LabelScale
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.by_class import ClassReport
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.models import BertClassifier

_BESIDE = ("score", "loss")  # what checkpoints are chosen by; not for people


class DevEvaluator:
    """A function that measures the current model on dev.

    It returns the task's metrics, and as `score` the mean of those that choose checkpoints. For a user's own files
    there are also `loss`, which decides between equal scores, and the mean absolute error of numbers.

    Args:
        model: The classifier.
        task: The task, with labelled dev examples.
        length: Most tokens in a row.
        scale: Unit in which the model answers with numbers; the labels' own by default.

    Raises:
        InputError: The dev examples have no labels.
    """

    def __init__(self, model: BertClassifier, task: Task, length: int, scale: LabelScale | None = None):
        self.task, self.dev = task, task.split("dev")
        if self.dev.labels is None:
            raise InputError("dev_file", "examples without labels", "labelled ones, to choose the best checkpoint by")
        self.scale = scale or LabelScale()
        self._tokens = TokenizedExamples(self.dev, model.tokenizer, length)
        self._columns = task.columns_of(model.labels)
        self._predictor = Predictor(model)

    def __call__(self) -> dict[str, float]:
        return self._values(self._logits())

    def results(self) -> dict:
        """Returns for `run.json` the metrics, and how well each class is found where classes are uneven."""
        logits = self._logits()
        report = None if self.task.is_regression else ClassReport.of(self.task, self.dev.labels, logits)
        return {"dev": self._values(logits), "by_class": report.lines() if report else []}

    def _values(self, logits: np.ndarray) -> dict[str, float]:
        task, labels = self.task, self.dev.labels
        by = task.choose_by or task.metrics
        errors = metrics.ERRORS if task.is_own and task.is_regression else ()
        values = metrics.compute(dict.fromkeys((*task.metrics, *by, *errors)), labels, logits)
        values["score"] = metrics.score_of(by, values)
        return values | ({"loss": metrics.loss_of(labels, logits)} if task.is_own else {})

    def _logits(self) -> np.ndarray:
        return self.scale.restored(self._predictor.logits(self._tokens)[:, self._columns])


def in_one_line(values: dict[str, float]) -> str:
    """Returns metrics as text for people, without those by which checkpoints are chosen."""
    return ", ".join(f"{name} {metrics.shown(name, value)}" for name, value in values.items() if name not in _BESIDE)
