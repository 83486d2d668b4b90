"""A model's metrics on dev, by which the best checkpoint is chosen."""

from collections.abc import Callable

import numpy as np

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.models import BertClassifier


def dev_evaluator(model: BertClassifier, task: Task, length: int) -> Callable[[], dict[str, float]]:
    """Returns a function that measures the current model on dev: the task's metrics, and their mean as `score`.

    Args:
        model: The classifier.
        task: The task, with labelled dev examples.
        length: Most tokens in a row.

    Raises:
        InputError: The dev examples have no labels.
    """
    dev = task.split("dev")
    if dev.labels is None:
        raise InputError("dev_file", "examples without labels", "labelled ones, to choose the best checkpoint by")
    tokens, columns = TokenizedExamples(dev, model.tokenizer, length), task.columns_of(model.labels)
    predictor = Predictor(model)

    def evaluate() -> dict[str, float]:
        values = metrics.compute(task.metrics, dev.labels, predictor.logits(tokens)[:, columns])
        return values | {"score": float(np.mean(list(values.values())))}  # as GLUE averages them

    return evaluate


def in_one_line(values: dict[str, float]) -> str:
    """Returns metrics as text for people: percentages, without the mean by which checkpoints are chosen."""
    return ", ".join(f"{name} {100 * value:.2f}" for name, value in values.items() if name != "score")
