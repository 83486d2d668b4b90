"""How far a file's answers are from those of the Keras model that it was made of."""

import numpy as np

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.models import BertClassifier

# Largest difference to Keras's probabilities that is rounding and not a broken file.
TOLERANCES = {"float32": 1e-4, "float16": 2e-2}
_MOST_TEXTS = 5000  # that a file is compared on


class Reference:
    """What the Keras model says of the texts that files are compared on.

    Args:
        student: the Keras model.
        task: whose metrics are computed; None where it is not known.
        examples: the texts.
        length: most tokens in one.
    """

    def __init__(self, student: BertClassifier, task: Task | None, examples: Examples, length: int):
        self.student, self.task, self.examples, self.length = student, task, examples, length
        self.tokens = TokenizedExamples(examples, student.tokenizer, length)
        self.answers = metrics.probabilities_of(predict_logits(student, self.tokens))
        self.results = {"size_bytes": 4 * student.count_params(), "metrics": self.metrics_of(self.answers)}

    @property
    def is_regression(self) -> bool:
        """Whether the model has one output, a number."""
        return len(self.student.labels) == 1

    def metrics_of(self, answers: np.ndarray) -> dict[str, float]:
        """The task's metrics; nothing without labels."""
        if self.task is None or self.examples.labels is None:
            return {}
        columns = self.task.columns_of(self.student.labels)
        return metrics.compute(self.task.metrics, self.examples.labels, answers[:, columns])

    def compare(self, answers: np.ndarray, name: str, tolerance: float | None) -> dict:
        """How far a file's answers are from the model's.

        Raises:
            RuntimeError: they are no numbers, or further than `tolerance`.
        """
        distances = np.abs(answers - self.answers).max(-1)
        if not np.isfinite(answers).all() or (tolerance and distances.max() > tolerance):
            raise RuntimeError(f"{name} is {distances.max():.2e} from the Keras model; expected at most {tolerance}")
        values = {"max": distances.max(), "mean": distances.mean(), "p99": np.quantile(distances, 0.99)}
        values = {f"{key}_difference": float(value) for key, value in values.items()}
        if not self.is_regression:
            values["agreement"] = float(np.mean(answers.argmax(-1) == self.answers.argmax(-1)))
        return values | {"metrics": self.metrics_of(answers)}


def examples_for(task: Task | None, student: BertClassifier) -> Examples:
    """Texts to compare files on: the task's, or else random words of the vocabulary."""
    if task is not None:
        examples = task.split(task.report_split)
        return examples.take(np.arange(min(len(examples), _MOST_TEXTS)))
    rng = np.random.default_rng(0)
    words = [piece for piece in student.tokenizer.vocabulary if piece[0] not in "[#"]
    return Examples([" ".join(rng.choice(words, size=1 + i % 100)) for i in range(500)])
