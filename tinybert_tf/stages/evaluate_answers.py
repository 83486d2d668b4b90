"""Evaluation of a question answerer: SQuAD's metrics with intervals, beside its teacher's, and its answers as files."""

import numpy as np

from tinybert_tf.data.spans import Span
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import squad
from tinybert_tf.evaluation.flops import size_of
from tinybert_tf.evaluation.span_prediction import SpanPredictor, window_rows
from tinybert_tf.kinds import QuestionAnswering
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.stages.common import task_length
from tinybert_tf.stages.job import Job, digests_of


class EvaluateAnswers(Job):
    """Evaluates `model` on a split of questions.

    Writes SQuAD's `predictions.json`, for 2.0 also `null_odds.json`, and the results in `run.json`.
    """

    stage = "evaluate"

    def read(self) -> dict[str, str]:
        config = self.config
        self.model = QuestionAnswering.load(config.model, "model")
        self.teacher = QuestionAnswering.load(config.teacher, "teacher") if config.teacher else None
        self.task = QuestionAnswering(config).task
        if config.threshold != 0.5:
            raise InputError("threshold", config.threshold, "none: --null_threshold is that of questions")
        if config.null_threshold is not None and not self.task.unanswerable:
            raise InputError("null_threshold", config.null_threshold, f"none: {self.task.name} answers each question")
        for model in filter(None, (self.model, self.teacher)):
            if config.null_threshold is not None or self.task.unanswerable:
                own = 0.0 if model.null_threshold is None else model.null_threshold
                model.null_threshold = own if config.null_threshold is None else config.null_threshold
        self.length = task_length(config, self.task, *filter(None, (self.model, self.teacher)))
        self.split = config.split or self.task.report_split
        self.questions = self.task.split(self.split, "split")
        teacher = digests_of(teacher=self.teacher) if self.teacher else {"teacher": ""}
        return {**digests_of(model=self.model), "task": self.task.fingerprint(), **teacher}

    def work(self) -> dict:
        results = {"splits": {self.split: self._evaluate()}, "model": size_of(self.model, self.length)}
        if self.teacher is not None:
            results["teacher"] = size_of(self.teacher, self.length)
        return results

    def _spans(self, model: BertQuestionAnswerer, title: str) -> list[Span]:
        rows = window_rows(self.questions, model, self.length)
        return SpanPredictor(model, self.config.batch_size).spans(rows, self._threshold(model), title)

    def _threshold(self, model: BertQuestionAnswerer) -> float | None:
        """Returns the model's threshold where a context may lack the answer; a model of SQuAD 1.1 always answers."""
        return model.null_threshold if self.task.unanswerable else None

    def _evaluate(self) -> dict:
        """Writes the split's files; returns its results."""
        ours = self._spans(self.model, "answer")
        theirs = None if self.teacher is None else self._spans(self.teacher, "teacher")
        squad.write_predictions(self.folder.path, self.questions, ours, self.task.unanswerable)
        values = {"examples": len(self.questions)}
        if theirs is not None:
            same = [squad.normalized(given(a)) == squad.normalized(given(b)) for a, b in zip(ours, theirs)]
            values["agreement"] = float(np.mean(same))
        return values | ({} if self.questions.answers is None else self._measured(ours, theirs))

    def _measured(self, ours: list[Span], theirs: list[Span] | None) -> dict:
        values, scores = {}, {}
        for who, model, spans in (("", self.model, ours), ("teacher_", self.teacher, theirs)):
            if spans is not None:
                found = squad.evaluate(self.questions, spans, self._threshold(model))
                values[f"{who}metrics"] = {name: found.pop(name) for name in squad.METRICS}
                values[f"{who}by_group"] = found
                scores[who] = squad.scores(self.questions, [given(span) for span in spans])
        seed = self.config.seed
        values["intervals"] = {name: squad.interval(scores[""][name], seed=seed) for name in squad.METRICS}
        if theirs is not None:
            both = {name: (scores[""][name], scores["teacher_"][name]) for name in squad.METRICS}
            values["difference_intervals"] = {name: squad.interval(*pair, seed=seed) for name, pair in both.items()}
        values["by_class"] = [f"{name:28}{value:9.4f}" for name, value in values["by_group"].items()]
        return values


def given(span: Span) -> str:
    """Returns the answer that is given: "" for none."""
    return "" if span.no_answer else span.text
