"""Where the teacher's answers in a batch come from: the teacher itself, or files of its predictions."""

import hashlib

import numpy as np
from scipy.special import logit

from tinybert_tf.data.batches import Buckets
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.teacher_predictions import text_keys

_LEAST = 1e-30  # of a probability of 0: its logarithm is finite, and the softmax of that is 0 again
_LEAST_OF_TWO = 1e-12  # of "has it" and "has it not", for which float64 holds 1 less this


class ModelAnswers:
    """The answers of a teacher that is a model: it gives them in each step, or once if that is worthwhile.

    Args:
        kind: The task's `Kind`.
        teacher: The teacher.

    Attributes:
        digests: SHA-256 of what is read besides the teacher, by the name of its flag.
    """

    def __init__(self, kind, teacher):
        self._kind, self._teacher = kind, teacher
        self.digests: dict[str, str] = {}

    def answered(self, examples, repeats: np.ndarray | None = None):
        """Returns the examples that have an answer, without labels, and how often a pass shows each."""
        return self._kind.unlabelled(examples), repeats

    def add_to(self, data: Buckets, examples, length: int, phase: str, worthwhile: bool) -> None:
        """Gives a phase's batches the answers to their examples.

        Args:
            data: Batches of the examples.
            examples: The examples, as `answered` returned them.
            length: Most tokens in a row.
            phase: "intermediate", "prediction" or "joint".
            worthwhile: Whether each example is shown more than once.
        """
        if phase == "prediction":  # else the teacher, or a `LayerCache`, gives them with its layers
            self._kind.add_teacher_logits(data, examples, self._teacher, length, worthwhile)


class FileAnswers:
    """The answers of a teacher that files hold; like `ModelAnswers`.

    Args:
        answers: The answers by text, see `read_teacher_predictions`; numbers in the unit in which they are learned.
        task: The task, in whose order of classes they are.
        labels: Classes in the order of the student's logits.
    """

    def __init__(self, answers: dict[str, np.ndarray], task: Task, labels):
        self._answers, self._task = answers, task
        self._order = np.argsort(task.columns_of(labels))
        digest = hashlib.sha256()
        for key in sorted(answers):
            digest.update(key.encode("utf-8", "surrogatepass") + b"\x00" + answers[key].tobytes())
        self.digests = {"teacher_predictions": digest.hexdigest()}

    def answered(self, examples: Examples, repeats: np.ndarray | None = None):
        """Returns the examples that have an answer, without labels, and how often a pass shows each."""
        places = [place for place, key in enumerate(text_keys(examples)) if key in self._answers]
        found = Examples(*(values and [values[i] for i in places] for values in (examples.texts, examples.text_pairs)))
        return found, None if repeats is None else repeats[places]

    def add_to(self, data: Buckets, examples: Examples, length: int, phase: str, worthwhile: bool) -> None:
        """Gives a phase's batches the logits of the answers: the student's softmax of them would be the answers."""
        if phase != "intermediate":
            data.extras = {"teacher_logits": self._logits(examples)}

    def _logits(self, examples: Examples) -> np.ndarray:
        rows = np.stack([self._answers[key] for key in text_keys(examples)])[:, self._order]
        if self._task.multi_label:
            rows = logit(np.clip(rows, _LEAST_OF_TWO, 1 - _LEAST_OF_TWO))
        elif not self._task.is_regression:
            rows = np.log(np.maximum(rows, _LEAST))
        return rows.astype(np.float32)
