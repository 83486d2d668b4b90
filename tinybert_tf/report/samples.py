"""Texts for the report: the surest mistakes, and those on which student and teacher differ."""

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.report.page import Sample

_MOST = 12  # texts in a list
_CHARACTERS = 400  # of a text that are shown


class Samples:
    """Chooses texts of some examples.

    Args:
        task: The task.
        examples: The examples.
        logits: Logits `[examples, classes]` in the task's order, by "model", and by "teacher" if there is one.
    """

    def __init__(self, task: Task, examples: Examples, logits: dict[str, np.ndarray]):
        self.task, self.examples, self.logits = task, examples, logits
        known = [name for name in ("model", "teacher") if name in logits]
        self.answers = {name: metrics.predictions_of(logits[name], task.multi_label) for name in known}
        self.sure = None if task.is_regression else self._confidence()

    def mistakes(self) -> list[Sample]:
        """Returns wrong answers, the surest first; of numbers, those that are furthest off."""
        labels = self.examples.labels
        if self.task.is_regression:
            return self._shown(np.argsort(-np.abs(self.answers["model"] - labels), kind="stable"))
        return self._shown(self._surest(~metrics.same_answers(self.answers["model"], labels)))

    def disagreements(self) -> list[Sample]:
        """Returns texts to which model and teacher give different answers, the surest first; [] of numbers."""
        if "teacher" not in self.answers or self.task.is_regression:
            return []
        return self._shown(self._surest(~metrics.same_answers(self.answers["model"], self.answers["teacher"])))

    def _surest(self, chosen: np.ndarray) -> np.ndarray:
        places = np.flatnonzero(chosen)
        return places[np.argsort(-self.sure[places], kind="stable")]

    def _confidence(self) -> np.ndarray:
        """Returns the probability of each text's answer; of several labels, that of the surest one."""
        several = self.task.multi_label
        probabilities = metrics.probabilities_of(self.logits["model"].astype(np.float64), several)
        return (np.maximum(probabilities, 1 - probabilities) if several else probabilities).max(axis=1)

    def _shown(self, places: np.ndarray) -> list[Sample]:
        return [
            Sample(
                self._text(place),
                self._label(self.examples.labels[place]),
                self._label(self.answers["model"][place]),
                None if self.sure is None else float(self.sure[place]),
                self._label(self.answers["teacher"][place]) if "teacher" in self.answers else "",
            )
            for place in places[:_MOST]
        ]

    def _text(self, place: int) -> str:
        pairs = self.examples.text_pairs
        texts = [self.examples.texts[place]] + ([] if pairs is None else [pairs[place]])
        return "\n".join(text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + " …" for text in texts)

    def _label(self, answer) -> str:
        task = self.task
        if task.multi_label:
            return ", ".join(label for label, has_it in zip(task.labels, answer) if has_it) or "none"
        return f"{float(answer):.4g}" if task.is_regression else task.labels[int(answer)]
