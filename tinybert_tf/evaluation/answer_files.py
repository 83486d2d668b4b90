"""An evaluation's answers, and its tables, as files."""

import csv
import json

import numpy as np

from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.files import write_whole


def write_predictions(path, task: Task, examples, logits: np.ndarray, theirs: np.ndarray | None, threshold) -> None:
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


def write_table(path, rows: list[dict]) -> None:
    """Writes rows of equal keys as CSV."""
    with write_whole(path) as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
