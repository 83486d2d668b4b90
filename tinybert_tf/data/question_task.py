"""Questions on contexts as a task: SQuAD, or a user's own files of its form, by split."""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np

from tinybert_tf.data.questions import Questions
from tinybert_tf.data.splits import bucket
from tinybert_tf.data.squad import load_squad
from tinybert_tf.errors import InputError

METRICS = ("exact_match", "f1")
_DEV_BUCKETS = 10  # of a hundred, into which a training file's contexts fall if no dev file is given


@dataclasses.dataclass(frozen=True)
class QuestionTask:
    """A task of questions on contexts.

    Args:
        name: Name of the task: "squad" or "squad_v2".
        splits: Questions by split: "train", "dev", "test".
        unanswerable: Whether a context may lack the answer.
        choose_by: Name of the metric that chooses checkpoints.
        asset: Packaged asset that the task is read from: none.
    """

    name: str
    splits: dict[str, Questions]
    unanswerable: bool
    choose_by: str = "f1"
    asset: str = ""

    @property
    def report_split(self) -> str:
        """The split on which results are reported: "test" if its answers are known or there is no other, else "dev"."""
        test = self.splits.get("test")
        return "dev" if "dev" in self.splits and (test is None or test.answers is None) else "test"

    def split(self, name: str, argument: str = "task") -> Questions:
        """Returns a split.

        Raises:
            InputError: The task has no split of this name.
        """
        if name not in self.splits:
            raise InputError(argument, f"{self.name} without {name} questions", f"one of {', '.join(self.splits)}")
        return self.splits[name]

    def texts(self, name: str) -> Iterator[str]:
        """Yields every text of a split, a context once."""
        yield from self.splits[name].questions
        yield from dict.fromkeys(self.splits[name].contexts)

    def chosen_by(self, metric: str) -> "QuestionTask":
        """Returns the task with checkpoints chosen by this metric; "" for the task's own choice.

        Raises:
            InputError: Questions have no such metric.
        """
        if metric and metric not in METRICS:
            raise InputError("metric", f"{metric}, for {self.name}", f"one of {', '.join(METRICS)}, for questions")
        return dataclasses.replace(self, choose_by=metric) if metric else self

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all questions, contexts and answers."""
        digest = hashlib.sha256(self.name.encode())
        for name in sorted(self.splits):
            digest.update(name.encode() + self.splits[name].fingerprint().encode())
        return digest.hexdigest()


def load_question_task(name: str, **files: str) -> QuestionTask:
    """Loads SQuAD, or a user's own files of its form. Arguments and errors are those of `load_squad`.

    Without a dev file a tenth of the training file's contexts is held out, with all of their questions.

    Raises:
        InputError: The training file has too few contexts for that.
    """
    splits = load_squad(name, **files)
    if "train" in splits and "dev" not in splits:
        splits["train"], splits["dev"] = _cut(splits["train"], files.get("train_file", ""))
    return QuestionTask(name, splits, name == "squad_v2")


def _cut(questions: Questions, path: str) -> tuple[Questions, Questions]:
    held_out = np.array([bucket(context) < _DEV_BUCKETS for context in questions.contexts])
    if held_out.all() or not held_out.any():
        expected = "more of them, or a --dev_file: without one, a tenth of the contexts is held out"
        raise InputError("train_file", f"{path} with {len(set(questions.contexts))} contexts", expected)
    return questions.take(np.flatnonzero(~held_out)), questions.take(np.flatnonzero(held_out))
