"""Questions on contexts, whose answers are spans of these."""

import dataclasses

import keras
import numpy as np
from absl import logging

from tinybert_tf.augmentation.questions import make_question_variants, question_line, read_augmented_questions
from tinybert_tf.data.batches import Buckets
from tinybert_tf.data.question_task import QuestionTask, load_question_task
from tinybert_tf.data.window_batches import WindowRows
from tinybert_tf.errors import InputError, naming
from tinybert_tf.evaluation.span_prediction import SpanDevEvaluator, SpanPredictor, window_rows
from tinybert_tf.kinds.answer_sources import ModelAnswers
from tinybert_tf.kinds.base import Kind
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START
from tinybert_tf.presets.model_card import question_answerer_card
from tinybert_tf.settings.task_data import TaskData


class QuestionAnswering(Kind):
    """A task of questions on contexts.

    Args:
        config: Settings that name the task.

    Raises:
        InputError: Names of classes or files of answers are given, or the task cannot be read.
    """

    def __init__(self, config: TaskData):
        if labels := getattr(config, "teacher_labels", ()):
            raise InputError("teacher_labels", ",".join(labels), "none: answers to questions have no classes")
        if predictions := getattr(config, "teacher_predictions", ()):
            expected = "none: a student learns where answers begin and end from a --teacher"
            raise InputError("teacher_predictions", ",".join(predictions), expected)
        if mixup := getattr(config, "mixup", 0):
            raise InputError("mixup", f"{mixup:g}", "0: two contexts with their questions are not mixed")
        files = {name: getattr(config, name) for name in ("train_file", "dev_file", "test_file")}
        task = load_question_task(config.task, **files, bad_lines=config.bad_lines)
        self.task: QuestionTask = task.chosen_by(getattr(config, "metric", ""))

    @classmethod
    def load(cls, name, argument, **options) -> BertQuestionAnswerer:
        with naming(argument):
            return BertQuestionAnswerer.from_preset(name, new_head=False, **options)

    def adopt(self, model, argument) -> None:
        pass

    def new_model(self, encoder, like=None) -> BertQuestionAnswerer:
        encoder.tokenizer.check_pairs()
        model = BertQuestionAnswerer(encoder, None if like is None else like.null_threshold)
        model.clear_unused_pooler()
        return model

    def with_head(self, source, like, **options) -> BertQuestionAnswerer | None:
        return BertQuestionAnswerer.from_pretrained(source, **options) if source.answers_questions else None

    @staticmethod
    def is_answered_by(source) -> bool:
        return source.answers_questions

    def check_recipe(self, config, teacher) -> None:
        self.losses(None, None, config.class_weights)

    @property
    def has_flips(self) -> bool:
        return False

    def columns(self, examples):
        return examples.questions, examples.contexts

    def variant_lines(self, examples, place, places, config, num_variants) -> list[str]:
        own = examples.questions[place], examples.contexts[place], examples.answers[place]
        rng = np.random.default_rng([config.seed, place])
        variants = make_question_variants(own, places, num_variants, config.replace_probability, rng)
        return [question_line(place, *row) for row in (own, *variants)]

    def augmented(self, folder, original_share):
        return read_augmented_questions(folder, self.task, original_share)

    def more(self, files):
        expected = "none: questions without answers are distilled from --train_file"
        raise InputError("unlabeled_file", ",".join(files), expected)

    def unlabelled(self, examples):
        return dataclasses.replace(examples, answers=None)

    def batches(self, examples, model, length, batch_size, seed, repeats=None) -> Buckets:
        tokens = window_rows(examples, model, length)
        repeats = None if repeats is None else repeats[tokens.windows.rows[:, 0]]
        labels = None
        if examples.answers is not None:
            labels = dict(zip((START, END), tokens.windows.labels().T))
        return Buckets(tokens, labels, batch_size, seed, repeats=repeats)

    def rows(self, examples, model, length) -> WindowRows:
        return window_rows(examples, model, length)

    def answers(self, config, teacher, like, examples, labelled) -> ModelAnswers:
        return ModelAnswers(self, teacher)

    def add_teacher_logits(self, data, examples, teacher, length, worthwhile) -> None:
        if worthwhile:
            data.tokens.teacher_logits = SpanPredictor(teacher).logits(data.tokens, "teacher")

    def losses(self, examples, repeats, class_weights) -> dict:
        if class_weights:
            raise InputError("class_weights", ",".join(class_weights), "none: answers to questions have no classes")
        loss = {name: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for name in (START, END)}
        return {"loss": loss, "loss_weights": dict.fromkeys((START, END), 0.5)}

    def dev_evaluator(self, model, length) -> SpanDevEvaluator:
        return SpanDevEvaluator(model, self.task, length)

    def log(self, data, examples, length) -> None:
        message = "%s: %d train and %d dev questions; the first in %d windows of up to %d tokens."
        logging.info(message, self.task.name, len(examples), len(self.task.split("dev")), len(data.tokens), length)
        if data.tokens.windows.num_cut:
            logging.warning("%d questions are cut, which are too long.", data.tokens.windows.num_cut)

    def log_rare(self) -> None:
        return None

    def facts(self, model) -> dict:
        return {"null_threshold": model.null_threshold}

    def card(self, record, started_from, teacher="") -> str:
        return question_answerer_card(record, self.task.name, started_from, teacher)
