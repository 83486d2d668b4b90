"""How far a file's answers to questions are from those of the Keras model that it was made from."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.configs import NUMBER_FORMATS
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import MAX_ANSWER, Span, spans_of
from tinybert_tf.data.window_batches import window_options
from tinybert_tf.evaluation import squad
from tinybert_tf.evaluation.span_prediction import SpanPredictor, window_rows
from tinybert_tf.exporters.parity import checked
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START
from tinybert_tf.tflite import QuestionAnswerer
from tinybert_tf.tflite.archive import QUESTION_ANSWERING
from tinybert_tf.tflite.tokenizer import bert_tokenizer

_BATCH = 16  # windows that are compared at a time
_RANDOM = 100  # questions of random words, where there is no task


class SpanReference:
    """The Keras model's answers to the questions that files are compared on.

    Args:
        student: The Keras model.
        task: The task that the questions are of; None if it is not known.
        examples: The questions, of at most `max_question` WordPieces each.
        length: Most tokens in a window.

    Attributes:
        pieces: Ids of the WordPieces, the most frequent ones first; None if it is not known.
    """

    labels = ()  # a span has none
    pieces = None

    def __init__(self, student: BertQuestionAnswerer, task: QuestionTask | None, examples: Questions, length: int):
        self.student, self.task, self.examples, self.length = student, task, examples, length
        self.tokens = window_rows(examples, student, length)
        self.spans = SpanPredictor(student).spans(self.tokens, student.null_threshold)
        self.results = {
            "size_bytes": 4 * student.count_params(),
            "metrics": self.metrics_of(self.spans),
            "intervals": self._intervals(),
        }

    def settings(self) -> dict:
        """Returns what `model_info.json` says of this kind of model alone."""
        return {
            "kind": QUESTION_ANSWERING,
            "labels": [],
            **window_options(self.length),
            "max_answer": MAX_ANSWER,
            "null_threshold": self.student.null_threshold,
            "outputs": [START, END],
        }

    def metrics_of(self, spans: Sequence[Span]) -> dict[str, float]:
        """Returns SQuAD's metrics; none without right answers."""
        if self.examples.answers is None:
            return {}
        found = squad.evaluate(self.examples, spans, self.student.null_threshold)
        return {name: found[name] for name in squad.METRICS}

    def _intervals(self) -> dict[str, list[float]]:
        """Returns the 95 % interval of each of the model's metrics."""
        if self.examples.answers is None:
            return {}
        values = squad.scores(self.examples, ["" if span.no_answer else span.text for span in self.spans])
        return {name: list(squad.interval(values[name])) for name in squad.METRICS}

    def measured(self, file: Path, variant: str) -> dict:
        """Returns how far a LiteRT file's answers are from the model's, and how long they take from text."""
        answerer = QuestionAnswerer(file)
        start = time.perf_counter()
        spans = answerer.predict(self.examples.questions, self.examples.contexts)
        seconds = time.perf_counter() - start
        return {"milliseconds_a_text": 1e3 * seconds / len(spans)} | self.compare(spans, file.name, variant)

    def measured_by(self, run: Callable[[dict], dict[str, np.ndarray]], name: str, variant: str = "float32") -> dict:
        """Returns how far the answers of a function from inputs to outputs are from the model's."""
        starts, ends = [], []
        for begin in range(0, len(self.tokens), _BATCH):
            batch = np.arange(begin, min(begin + _BATCH, len(self.tokens)))
            outputs = run(self.tokens.rows(batch))
            starts += list(outputs[START])
            ends += list(outputs[END])
        spans = spans_of(self.tokens.windows, starts, ends, self.student.null_threshold)
        return self.compare(spans, name, variant)

    def compare(self, spans: Sequence[Span], name: str, variant: str) -> dict:
        """Returns how far a file's answers are from the model's, and SQuAD's metrics with them.

        Args:
            spans: The file's answer to each question.
            name: Name of the file.
            variant: Number format of the file, which decides the tolerance.

        Raises:
            RuntimeError: The scores of answers in float32 are not finite, or too far from the model's.
            InputError: Likewise in another format, which may not hold the model's numbers.
        """
        tolerance = NUMBER_FORMATS[variant].tolerance
        ours, theirs = (np.array([span.score for span in found]) for found in (self.spans, spans))
        distances = np.abs(ours - theirs) / max(1.0, float(np.abs(ours).max()))  # as a share: logits have any size
        far = f"the scores of {name} are {{:.2e}} of the largest from the Keras model's"
        values = checked(distances, tolerance, variant, far)
        same = [_given(ours) == _given(theirs) for ours, theirs in zip(self.spans, spans)]
        return values | {"agreement": float(np.mean(same)), "metrics": self.metrics_of(spans)}


def _given(span: Span) -> tuple[int, int] | None:
    """Returns the places of the answer that is given; None for no answer."""
    return None if span.no_answer else (span.start, span.end)


def questions_for(task: QuestionTask | None, student: BertQuestionAnswerer, length: int) -> Questions:
    """Returns questions to compare files on: the task's that a device does not refuse, or random words."""
    if task is None:
        rng = np.random.default_rng(0)
        words = [piece for piece in student.tokenizer.vocabulary if piece and piece[0] not in "[#"]
        sizes = [(1 + i % 6, 1 + 3 * i) for i in range(_RANDOM)]
        texts = [[" ".join(rng.choice(words, size=size)) for size in pair] for pair in sizes]
        questions = Questions(*map(list, zip(*texts)))
    else:
        questions = task.split(task.report_split)
    tokenizer = bert_tokenizer(student.tokenizer.vocabulary, **student.tokenizer.normalization)
    rows = tokenizer.encode_batch(questions.questions, add_special_tokens=False)
    longest = window_options(length)["max_question"]
    return questions.take([place for place, row in enumerate(rows) if len(row.ids) <= longest])
