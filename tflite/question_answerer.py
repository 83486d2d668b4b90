"""A LiteRT question answerer in Python, without TensorFlow: ai-edge-litert, tokenizers and NumPy are all it needs."""

import os
from collections.abc import Sequence

import numpy as np

from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import Span, spans_of
from tinybert_tf.data.windows import windows_of
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of
from tinybert_tf.tflite.archive import QUESTION_ANSWERING, read_files
from tinybert_tf.tflite.runner import open_runner
from tinybert_tf.tflite.texts import check_texts
from tinybert_tf.tflite.tokenizer import bert_tokenizer, tokenizer_rules

START_LOGITS, END_LOGITS = "start_logits", "end_logits"  # names of the outputs, `[1, length or more]`


class QuestionAnswerer:
    """Finds the answer to a question in a text. Threads cannot share one: make one per thread.

    Args:
        model: Path of a `student.tflite`; vocabulary and settings are inside it.
        num_threads: Number of threads that LiteRT computes with.
        null_threshold: Odds of "no answer" above which that is the answer; by default the file's.

    Attributes:
        info: The settings in the file: `sequence_length`, `stride`, `max_question`, `max_answer`, `null_threshold`, …

    Raises:
        InputError: The file is not an exported question answerer, a package is missing, or the model always answers
            and has no use for a threshold.

    Example:

    >>> answerer = QuestionAnswerer("runs/export/student.tflite")
    >>> answerer("How old is the bridge?", "The bridge, 130 years old, was built of iron.")
    {'answer': '130 years', 'start': 12, 'end': 21, 'probability': 0.87123, 'no_answer': False}
    """

    def __init__(self, model: str | os.PathLike, num_threads: int = 1, null_threshold: float | None = None):
        model = path_of(model)
        vocabulary, self.info = read_files(model, QUESTION_ANSWERING)
        if null_threshold is not None and self.info["null_threshold"] is None:
            raise InputError("null_threshold", null_threshold, "none: the model gives every question an answer")
        self.null_threshold = self.info["null_threshold"] if null_threshold is None else null_threshold
        self._tokenizer = bert_tokenizer(vocabulary, **tokenizer_rules(self.info))
        self._run = open_runner(model, self.info["signature"], num_threads)

    def __call__(self, question: str, context: str) -> dict:
        """Returns the answer: `answer`, `start`, `end`, `probability`, `no_answer`.

        `context[start:end]` is the answer; it is "" and the places are None if the context does not answer the
        question. The probability is that of the answer that is given, "no answer" included.

        Raises:
            InputError: There is no question or no context, or the question is too long.
        """
        return self.predict([question], [context])[0].as_dict()

    def predict(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Span]:
        """Returns a `Span` for each question on its context; takes what a call takes."""
        if len(questions) != len(contexts):
            raise InputError("contexts", f"{len(contexts)} texts", f"{len(questions)}, as many as questions")
        for name, texts in (("question", questions), ("context", contexts)):
            check_texts(name, texts)
            if blank := [text for text in texts if not text.strip()]:
                raise InputError(name, repr(blank[0]), "a text")
        asked = Questions(list(questions), list(contexts))
        sizes = {name: self.info[name] for name in ("sequence_length", "stride", "max_question")}
        windows = windows_of(asked, self._tokenizer, bad_lines="refuse", **sizes)
        starts, ends = [None] * len(windows), [None] * len(windows)
        for place in np.argsort(windows.lengths, kind="stable"):  # a new length costs an allocation
            inputs = windows.batch([place], self.info["sequence_length"] if self.info["fixed_length"] else 0)
            output = self._run(**inputs)
            starts[place], ends[place] = output[START_LOGITS][0], output[END_LOGITS][0]
        return spans_of(windows, starts, ends, self.null_threshold, self.info["max_answer"])
