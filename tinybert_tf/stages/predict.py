"""Prediction: reads texts and writes one JSON object per line to standard output."""

import json
import sys
from collections.abc import Iterator
from itertools import islice

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Columns
from tinybert_tf.data.unlabelled import read_texts
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.kinds import Classification, QuestionAnswering, kind_of_model
from tinybert_tf.kinds.classification import classifier_of
from tinybert_tf.settings.stages import PredictConfig
from tinybert_tf.stages.common import check_threshold, saved_length
from tinybert_tf.stages.learned import learned_pairs
from tinybert_tf.stages.predict_answers import predict_answers
from tinybert_tf.tflite.classifier import answer
from tinybert_tf.training import devices


def run(config: PredictConfig) -> None:
    """Writes the model's answer to every text, or question, as it arrives.

    Raises:
        InputError: The model or a text cannot be read.
    """
    with devices.scope(config.devices):
        _PREDICT[kind_of_model(config.model, "model")](config)


def _predict(config: PredictConfig) -> None:
    if config.question:
        raise InputError("question", repr(config.question), "--text, for a model of texts")
    model = classifier_of(config.model, "model")
    check_threshold(config.threshold, model)
    if config.abstain_below is not None and model.problem_type != "single_label_classification":
        raise InputError("abstain_below", config.abstain_below, "none: it is for models that give a text one label")
    options = model.multi_label, config.threshold, config.abstain_below
    takes_pairs = learned_pairs(config.model)
    length = saved_length(config.sequence_length, model)
    predictor = Predictor(model, config.batch_size)
    typed = config.text is None and not config.input_file and sys.stdin.isatty()
    for rows in _batches(_rows(config), 1 if typed else config.batch_size):  # a person expects each answer at once
        pairs = [pair for _, pair in rows]
        if takes_pairs not in (None, pairs[0] is not None):
            got, expected = ("texts alone", "pairs") if takes_pairs else ("pairs", "texts alone")
            argument = "text_pair_column" if config.input_file else "text_pair"
            raise InputError(argument, got, f"{expected}, from which {config.model} has learned")
        examples = Examples([text for text, _ in rows], None if pairs[0] is None else pairs)
        tokens = TokenizedExamples(examples, model.tokenizer, length)
        answers = metrics.probabilities_of(predictor.logits(tokens), model.multi_label)
        for (text, pair), probabilities in zip(rows, answers):
            row = {"text": text} | ({} if pair is None else {"text_pair": pair})
            row |= answer(model.labels, probabilities, *options)
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _rows(config: PredictConfig) -> Iterator[tuple[str, str | None]]:
    """Yields (text, second text or None) from the flags, a file, or standard input."""
    if config.text is not None:
        yield config.text, config.text_pair or None
    elif config.input_file:
        columns = Columns(config.text_column, config.text_pair_column)
        texts, pairs = read_texts(config.input_file, columns, "input_file")
        yield from zip(texts, pairs or [None] * len(texts))
    else:
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        yield from ((line.rstrip("\n"), None) for line in sys.stdin)


def _batches(rows: Iterator, size: int) -> Iterator[list]:
    """Yields lists of up to `size` rows."""
    while batch := list(islice(rows, size)):
        yield batch


_PREDICT = {Classification: _predict, QuestionAnswering: predict_answers}
