"""Prediction: reads texts and writes one JSON object per line, to standard output or into shards."""

import sys
import time
from collections.abc import Iterator
from itertools import islice

from tinybert_tf.data.files import Columns
from tinybert_tf.data.line_shards import LineShards
from tinybert_tf.data.unlabelled import read_texts
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.text_answers import TextAnswers
from tinybert_tf.kinds import Classification, QuestionAnswering, kind_of_model
from tinybert_tf.kinds.classification import classifier_of
from tinybert_tf.models import BertClassifier
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.predictions import Predictions
from tinybert_tf.settings.stages import PredictConfig
from tinybert_tf.stages.common import check_null_threshold, check_threshold, command, saved_length
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.stages.learned import learned_pairs
from tinybert_tf.stages.predict_answers import predict_answers
from tinybert_tf.training import devices
from tinybert_tf.training.run_directory import RunDirectory


def run(config: PredictConfig) -> RunDirectory | None:
    """Writes the model's answer to every text, or question, as it arrives; with a runner, into shards.

    Raises:
        InputError: The model or a text cannot be read.
    """
    if config.runner:
        return _Shards(config).run()
    with devices.scope(config.devices):
        _PREDICT[kind_of_model(config.model, "model")](config)
    return None


def summary(folder: RunDirectory) -> str:
    """Returns where the shards of answers are, and what to run next."""
    shards = folder.record["settings"]["num_shards"]
    return f"Answers  {folder.path}, in {shards} shards\nNext     {command('task', teacher_predictions=folder.path)}"


class _Shards(Job):
    stage = "predict"
    free = ("runner", "pipeline_options")

    def read(self) -> dict[str, str]:
        config = self.config
        if kind_of_model(config.model, "model") is not Classification:
            raise InputError("runner", repr(config.runner), "none: it is for classifiers of texts")
        self.texts = LineShards(config.input_file, _columns(config), config.num_shards)
        model, self.options = _model_and_options(config)
        _check_pairs(config, learned_pairs(config.model), self.texts.has_pairs)
        return {**digests_of(model=model), "input_file": self.texts.fingerprint()}

    def prepare(self) -> None:
        self.engine = Engine(self.config.runner, self.config.pipeline_options)

    def work(self) -> dict:
        start = time.monotonic()
        predictions = Predictions(self.texts, self.config.model, self.folder.path, self.options)
        predictions.run(self.engine, self.folder.record["inputs"])
        return {"seconds": round(time.monotonic() - start, 1)}


def _model_and_options(config: PredictConfig) -> tuple[BertClassifier, dict]:
    """Returns the classifier, and the other arguments of `TextAnswers`."""
    if config.question:
        raise InputError("question", repr(config.question), "--text, for a model of texts")
    model = classifier_of(config.model, "model")
    check_threshold(config.threshold, model)
    check_null_threshold(config.null_threshold)
    if config.abstain_below is not None and model.problem_type != "single_label_classification":
        raise InputError("abstain_below", config.abstain_below, "none: it is for models that give a text one label")
    options = {"threshold": config.threshold, "abstain_below": config.abstain_below, "batch_size": config.batch_size}
    return model, options | {"sequence_length": saved_length(config.sequence_length, model)}


def _check_pairs(config: PredictConfig, takes_pairs: bool | None, are_pairs: bool) -> None:
    """Refuses pairs for a model that has learned from texts alone, and the reverse."""
    if takes_pairs not in (None, are_pairs):
        got, expected = ("texts alone", "pairs") if takes_pairs else ("pairs", "texts alone")
        argument = "text_pair_column" if config.input_file else "text_pair"
        raise InputError(argument, got, f"{expected}, from which {config.model} has learned")


def _predict(config: PredictConfig) -> None:
    model, options = _model_and_options(config)
    answers, takes_pairs = TextAnswers(model, **options), learned_pairs(config.model)
    typed = config.text is None and not config.input_file and sys.stdin.isatty()
    for rows in _batches(_rows(config), 1 if typed else config.batch_size):  # a person expects each answer at once
        texts, pairs = map(list, zip(*rows))
        are_pairs = pairs[0] is not None
        _check_pairs(config, takes_pairs, are_pairs)
        sys.stdout.writelines(answers.lines(texts, pairs if are_pairs else None))
        sys.stdout.flush()


def _columns(config: PredictConfig) -> Columns:
    return Columns(config.text_column, config.text_pair_column)


def _rows(config: PredictConfig) -> Iterator[tuple[str, str | None]]:
    """Yields (text, second text or None) from the flags, a file, or standard input."""
    if config.text is not None:
        yield config.text, config.text_pair or None
    elif config.input_file:
        texts, pairs = read_texts(config.input_file, _columns(config), "input_file")
        yield from zip(texts, pairs or [None] * len(texts))
    else:
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        yield from ((line.rstrip("\n"), None) for line in sys.stdin)


def _batches(rows: Iterator, size: int) -> Iterator[list]:
    """Yields lists of up to `size` rows."""
    while batch := list(islice(rows, size)):
        yield batch


_PREDICT = {Classification: _predict, QuestionAnswering: predict_answers}
