"""A question answerer's logits and answers on many questions, computed in batches."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tinybert_tf.configs import INPUTS
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import Span, spans_of
from tinybert_tf.data.window_batches import WindowRows
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import squad
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START
from tinybert_tf.tflite.tokenizer import bert_tokenizer
from tinybert_tf.training import devices

_SHOW_FROM = 500  # number of windows that take long enough for a progress bar
_CHOSEN_ON = 400  # questions on which checkpoints are compared; all of dev would take longer than training


def window_rows(questions: Questions, model, sequence_length: int) -> WindowRows:
    """Returns the windows of questions for a model, which has a tokenizer.

    Raises:
        InputError: The model takes no pairs, or a question cannot be cut into windows.
    """
    tokenizer = model.tokenizer
    tokenizer.check_pairs()
    return WindowRows(questions, bert_tokenizer(tokenizer.vocabulary, **tokenizer.normalization), sequence_length)


class SpanPredictor:
    """A question answerer in inference mode, as one graph that is traced once.

    Args:
        model: The question answerer.
        batch_size: Windows per batch.
    """

    def __init__(self, model: BertQuestionAnswerer, batch_size: int = 32):
        self.model, self.batch_size = model, batch_size
        self._forward = devices.Forward(self._spans, INPUTS)

    def _spans(self, inputs: dict) -> dict:
        outputs = self.model(inputs, training=False)
        return {name: tf.cast(outputs[name], tf.float32) for name in (START, END)}

    def logits(self, rows: WindowRows, title: str = "predict") -> np.ndarray:
        """Returns start and end logits of all windows, one after another: float32 `[2, tokens]`; see `WindowRows.of`.

        Args:
            rows: The windows.
            title: Title of the progress bar, which only long work shows.
        """
        order, found = np.argsort(rows.lengths, kind="stable"), np.zeros((2, int(rows.lengths.sum())), np.float32)
        with tqdm(
            total=len(order), desc=title, unit="window", disable=len(order) < _SHOW_FROM, dynamic_ncols=True
        ) as bar:
            for begin in range(0, len(order), self.batch_size):
                places = order[begin : begin + self.batch_size]
                outputs = self._forward(rows.windows.batch(places))
                starts, ends = outputs[START], outputs[END]
                for row, place in enumerate(places):
                    length = rows.lengths[place]
                    rows.of(place, found)[:] = starts[row, :length], ends[row, :length]
                bar.update(len(places))
        return found

    def spans(self, rows: WindowRows, null_threshold: float | None = None, title: str = "answer") -> list[Span]:
        """Returns an answer to each question; arguments are those of `logits` and `spans_of`."""
        starts, ends = self.logits(rows, title)
        return spans_of(
            rows.windows,
            [rows.of(place, starts) for place in range(len(rows))],
            [rows.of(place, ends) for place in range(len(rows))],
            null_threshold,
        )


class SpanDevEvaluator:
    """A function that measures the current question answerer on a part of dev, by which the best checkpoint is chosen.

    It returns SQuAD's metrics, and as `score` the one that chooses; where questions may be unanswerable, that of the
    best threshold.

    Args:
        model: The question answerer.
        task: The task, with dev questions whose answers are known.
        length: Most tokens in a window.

    Raises:
        InputError: The dev questions have no answers.
    """

    def __init__(self, model: BertQuestionAnswerer, task: QuestionTask, length: int):
        self.model, self.task, self.length = model, task, length
        dev = task.split("dev")
        if dev.answers is None:
            raise InputError("dev_file", "questions without answers", "answers, to choose the best checkpoint by")
        places = np.unique(np.linspace(0, len(dev) - 1, min(len(dev), _CHOSEN_ON)).astype(int))
        self._some = window_rows(dev.take(places), model, length)
        self._predictor = SpanPredictor(model)

    def __call__(self) -> dict[str, float]:
        values = self._values(self._some)
        by = self.task.choose_by
        return values | {"score": values[f"best_{by}" if self.task.unanswerable else by]}

    def results(self) -> dict:
        """Returns the metrics on all of dev; where questions may be unanswerable, the model gets the best threshold."""
        values = self._values(window_rows(self.task.split("dev"), self.model, self.length))
        if self.task.unanswerable:
            self.model.null_threshold = values[f"best_{self.task.choose_by}_threshold"]
        return {"dev": values, "null_threshold": self.model.null_threshold}

    def _values(self, rows: WindowRows) -> dict[str, float]:
        threshold = 0.0 if self.task.unanswerable else None
        return squad.evaluate(rows.windows.questions, self._predictor.spans(rows, threshold), threshold)
