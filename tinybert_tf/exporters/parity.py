"""How far a file's answers are from those of the Keras model that it was made from."""

import time
from pathlib import Path

import numpy as np

from tinybert_tf.configs import NUMBER_FORMATS
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.calibration import Confidence
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.exporters.abstaining import Calibration
from tinybert_tf.models import BertClassifier
from tinybert_tf.tflite import TextClassifier
from tinybert_tf.tflite.graph import output_name

_MOST_TEXTS = 5000  # a file is compared on these many at most


class Reference:
    """The Keras model's answers to the texts that files are compared on.

    Args:
        student: The Keras model.
        task: The task whose metrics are computed; None if it is not known.
        examples: The texts.
        length: Most tokens in a text.
        calibration: What is in the student's head already, and the probability below which files abstain.

    Attributes:
        pieces: Ids of the WordPieces, the most frequent ones first; None if it is not known.
    """

    pieces = None

    def __init__(
        self,
        student: BertClassifier,
        task: Task | None,
        examples: Examples,
        length: int,
        calibration: Calibration = Calibration(),  # noqa: B008, it is frozen
    ):
        self.student, self.task, self.examples, self.length = student, task, examples, length
        self.calibration = calibration
        self.tokens = TokenizedExamples(examples, student.tokenizer, length)
        logits = predict_logits(student, self.tokens)
        self.answers = metrics.probabilities_of(logits, student.multi_label)
        self.results = {
            "size_bytes": 4 * student.count_params(),
            "metrics": self.metrics_of(self.answers),
            "intervals": self._intervals(),
            **self._certainty(self.answers),
        }
        if calibration.temperature and self._is_labelled:
            before = Confidence.of(logits[:, self._columns], examples.labels, 1 / calibration.temperature)
            self.results["uncalibrated_error"] = before.calibration_error()
        if calibration.cuts and self._is_labelled:
            before = (logits + calibration.cuts)[:, self._columns]
            self.results["metrics_at_half"] = metrics.compute(task.metrics, examples.labels, before)

    @property
    def is_regression(self) -> bool:
        """Whether the model has one output, a number."""
        return len(self.student.labels) == 1

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the answers."""
        return self.student.labels

    def settings(self) -> dict:
        """Returns what `model_info.json` says of this kind of model alone."""
        return {
            "labels": list(self.student.labels),
            "multi_label": self.student.multi_label,
            "text_pairs": self.examples.text_pairs is not None,
            "output": output_name(self.student),
            **self.calibration.settings(),
        }

    def measured(self, file: Path, variant: str) -> dict:
        """Returns how far a LiteRT file's answers are from the model's, and how long they take from text."""
        classifier = TextClassifier(file)
        start = time.perf_counter()
        answers = classifier.predict(self.examples.texts, self.examples.text_pairs)
        seconds = time.perf_counter() - start
        return {"milliseconds_a_text": 1e3 * seconds / len(answers)} | self.compare(answers, file.name, variant)

    def metrics_of(self, answers: np.ndarray) -> dict[str, float]:
        """Returns the task's metrics; none without labels."""
        if not self._is_labelled:
            return {}
        return metrics.compute(self.task.metrics, self.examples.labels, self._logits(answers)[:, self._columns])

    @property
    def _is_labelled(self) -> bool:
        return self.task is not None and self.examples.labels is not None

    @property
    def _columns(self) -> list[int]:
        """The place among the answers of each of the task's classes."""
        return self.task.columns_of(self.student.labels)

    def _certainty(self, answers: np.ndarray) -> dict[str, float | None]:
        """Returns how far probabilities can be relied on, where that is asked for; nothing without labels."""
        if not self._is_labelled:
            return {}
        return self.calibration.measured(answers[:, self._columns], self.examples.labels)

    def _intervals(self) -> dict[str, list[float]]:
        """Returns the 95 % interval of each of the model's metrics."""
        if not self._is_labelled:
            return {}
        logits = self._logits(self.answers)[:, self._columns]
        return {name: list(metrics.bootstrap(name, self.examples.labels, logits)) for name in self.task.metrics}

    def _logits(self, answers: np.ndarray) -> np.ndarray:
        """Returns numbers that choose the same labels as logits do: above 0 where a text may have any number."""
        return answers - 0.5 if self.student.multi_label else answers

    def compare(self, answers: np.ndarray, name: str, variant: str) -> dict:
        """Returns how far a file's answers are from the model's, and the task's metrics with them.

        Args:
            answers: The file's probabilities or scores, `[texts, classes]`.
            name: Name of the file.
            variant: Number format of the file, which decides the tolerance.

        Raises:
            RuntimeError: The answers in float32 are not finite, or too far from the model's.
            InputError: Likewise in another format, which may not hold the model's numbers.
        """
        tolerance = NUMBER_FORMATS[variant].tolerance
        if tolerance and self.is_regression:  # numbers may have any unit
            tolerance *= float(np.abs(self.answers).max()) or 1.0
        distances = np.abs(answers - self.answers).max(-1)
        values = checked(distances, tolerance, variant, f"{name} is {{:.2e}} from the Keras model")
        if not self.is_regression:
            theirs, ours = (
                metrics.predictions_of(self._logits(part), self.student.multi_label) for part in (answers, self.answers)
            )
            values["agreement"] = float(np.mean(metrics.same_answers(theirs, ours)))
        return values | {"metrics": self.metrics_of(answers)} | self._certainty(answers)


def checked(distances: np.ndarray, tolerance: float | None, variant: str, far: str) -> dict[str, float]:
    """Returns the largest distance of a file's answers from the model's, the mean one, and the 99th percentile.

    Args:
        distances: Distance of each answer; not finite where the answer is not.
        tolerance: Largest distance that is rounding; None where it depends on the model.
        variant: Number format of the file.
        far: What is wrong where one is larger, with {} for it.

    Raises:
        RuntimeError: A distance in float32 is not finite, or larger.
        InputError: Likewise in another format, which may not hold the model's numbers.
    """
    largest = distances.max()
    if not np.isfinite(distances).all() or (tolerance and largest > tolerance):
        limit = f"at most {tolerance:g}" if tolerance else "finite numbers"
        if variant == "float32":
            raise RuntimeError(f"{far.format(largest)}; expected {limit}")
        got = f"{variant}, in which {far.format(largest)}"
        raise InputError("variants", got, f"{limit}, or a format that can hold its numbers")
    values = {"max": largest, "mean": distances.mean(), "p99": np.quantile(distances, 0.99)}
    return {f"{key}_difference": float(value) for key, value in values.items()}


def examples_for(task: Task | None, student: BertClassifier, pairs: bool = False) -> Examples:
    """Returns texts to compare files on: the task's, or else random words of the vocabulary, in pairs if asked for."""
    if task is not None:
        examples = task.split(task.report_split)
        return examples.take(np.arange(min(len(examples), _MOST_TEXTS)))
    rng = np.random.default_rng(0)
    words = [piece for piece in student.tokenizer.vocabulary if piece and piece[0] not in "[#"]
    texts = [" ".join(rng.choice(words, size=1 + i % 100)) for i in range(500)]
    return Examples(texts, texts[::-1] if pairs else None)
