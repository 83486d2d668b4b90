"""Answers to questions: reads questions with their contexts, and writes one JSON object per line."""

import json
import sys
from collections.abc import Iterator
from itertools import islice

from tinybert_tf.data.files import SURROGATE
from tinybert_tf.data.question_files import read_questions
from tinybert_tf.data.questions import Questions
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.span_prediction import SpanPredictor, window_rows
from tinybert_tf.files import json_row
from tinybert_tf.kinds import QuestionAnswering
from tinybert_tf.settings.stages import PredictConfig
from tinybert_tf.stages.common import saved_length

_TOGETHER = 256  # questions whose windows are made together


def predict_answers(config: PredictConfig) -> None:
    """Writes the model's answer to every question: id, question, answer, start, end, probability, no_answer.

    Raises:
        InputError: The model or a question cannot be read.
    """
    for name in ("text", "text_pair"):
        if getattr(config, name):
            raise InputError(name, repr(getattr(config, name)), "--question and --context, for this model")
    if config.threshold != 0.5:
        raise InputError("threshold", config.threshold, "none: --null_threshold is that of questions")
    if config.abstain_below is not None:
        raise InputError("abstain_below", config.abstain_below, "none: --null_threshold is that of questions")
    model = QuestionAnswering.load(config.model, "model")
    length = saved_length(config.sequence_length, model)
    threshold = model.null_threshold if config.null_threshold is None else config.null_threshold
    predictor = SpanPredictor(model, config.batch_size)
    for questions in _questions(config):
        spans = predictor.spans(window_rows(questions, model, length), threshold)
        for place, span in enumerate(spans):
            row = {"id": questions.ids[place], "question": questions.questions[place]} | span.as_dict()
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _questions(config: PredictConfig) -> Iterator[Questions]:
    """Yields questions from the flags, a file, or JSON lines of standard input."""
    if config.question:
        yield Questions([config.question], [config.context])
    elif config.input_file:
        options = {"unanswerable": True, "answers_may_lack": True}
        questions = read_questions(config.input_file, "input_file", **options)
        for begin in range(0, len(questions), _TOGETHER):
            yield questions.take(range(begin, min(begin + _TOGETHER, len(questions))))
    else:
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        lines, number = (line for line in sys.stdin if line.strip()), 0
        together = 1 if sys.stdin.isatty() else config.batch_size
        while batch := list(islice(lines, together)):
            rows = [_row(line, number + i) for i, line in enumerate(batch)]
            number += len(rows)
            ids, questions, contexts = map(list, zip(*rows))
            yield Questions(questions, contexts, None, ids)


def _row(line: str, number: int) -> tuple[str, str, str]:
    """Returns id, question and context of a line."""
    row = json_row(line) or {}
    question, context = row.get("question"), row.get("context")
    if not all(isinstance(text, str) and text.strip() and not SURROGATE.search(text) for text in (question, context)):
        got = f"line {number + 1} of standard input: {line[:40].strip()!r}"
        raise InputError("input_file", got, 'JSON objects, one per line, with "question" and "context"')
    return str(row.get("id", number)), question, context
