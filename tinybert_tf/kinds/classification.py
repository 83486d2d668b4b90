"""Texts with classes, one or several each, or with numbers."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from absl import logging

from tinybert_tf.augmentation.file import line_of, read_augmented
from tinybert_tf.augmentation.variants import make_pair_variants
from tinybert_tf.data.batches import LengthBuckets, TokenizedExamples
from tinybert_tf.data.class_weights import class_weights as weights_of
from tinybert_tf.data.files import Columns
from tinybert_tf.data.label_scale import LabelScale
from tinybert_tf.data.tasks import Task, load_task
from tinybert_tf.data.teacher_predictions import read_teacher_predictions, text_keys, with_labels
from tinybert_tf.data.unlabelled import read_unlabelled
from tinybert_tf.errors import InputError, naming
from tinybert_tf.evaluation.dev import DevEvaluator
from tinybert_tf.evaluation.prediction import cached_logits
from tinybert_tf.kinds.answer_sources import FileAnswers, ModelAnswers
from tinybert_tf.kinds.base import Kind
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets.model_card import classifier_card
from tinybert_tf.settings.task_data import TaskData
from tinybert_tf.training.label_losses import label_loss

RARE = 10  # training examples of a class, below which it is named


class Classification(Kind):
    """A task of texts with classes or numbers.

    Args:
        config: Settings that name the task.
    """

    def __init__(self, config: TaskData):
        self.task: Task = task_of(config).chosen_by(getattr(config, "metric", ""))
        self._given = getattr(config, "teacher_labels", ())
        self._has_files = bool(getattr(config, "teacher_predictions", ()))
        self._columns = Columns(config.text_column, config.text_pair_column)

    @property
    def scale(self) -> LabelScale:
        """The unit in which numbers are learned."""
        if not hasattr(self, "_scale"):
            self._scale = LabelScale.of(self.task)
        return self._scale

    @classmethod
    def load(cls, name, argument, **options) -> BertClassifier:
        return classifier_of(name, argument, **options)

    def adopt(self, model, argument) -> None:
        name_classes(model, self.task, argument, self._names_for(model.labels))

    def names_of(self, source) -> tuple[str, ...]:
        return self._names_for(source.labels())

    def _names_for(self, labels: Sequence[str]) -> tuple[str, ...]:
        # Beside a teacher that has the task's classes, `--teacher_labels` orders the lists of the files of answers.
        return () if self._has_files and self.task.has_classes(labels) else self._given

    def new_model(self, encoder, like=None) -> BertClassifier:
        if like is None:
            return BertClassifier(encoder, self.task.labels, multi_label=self.task.multi_label)
        model = BertClassifier(encoder, like.labels, multi_label=like.multi_label)
        self.from_unit(model)  # numbers: a new head's answers are near their mean
        return model

    def with_head(self, source, like, **options) -> BertClassifier | None:
        if source.is_classifier and (source.labels(), source.multi_label) == (list(like.labels), like.multi_label):
            return BertClassifier.from_pretrained(source, **options)
        if source.is_classifier:
            theirs, ours = ", ".join(source.labels()), ", ".join(like.labels)
            logging.warning("--student: its head is replaced: its classes are %s; the answers' are %s.", theirs, ours)
        return None

    def to_unit(self, model) -> None:
        self.scale.take_out_of(model.classifier)

    def from_unit(self, model) -> None:
        self.scale.fold_into(model.classifier)

    @staticmethod
    def is_answered_by(source) -> bool:
        return source.is_classifier

    def check_recipe(self, config, teacher) -> None:
        task = self.task
        if config.class_weights and config.teacher_predictions:
            got = f"{','.join(config.class_weights)}, with --teacher_predictions"
            raise InputError("class_weights", got, "none: models learn from answers, which labels only complete")
        weights_of(task, task.split("train").labels, config.class_weights)
        if not teacher.is_classifier:
            if self._given and not self._has_files:
                expected = "none: the teacher is fine-tuned on the task's own classes"
                raise InputError("teacher_labels", ",".join(self._given), expected)
            return
        task.names_of(teacher.labels(), self.names_of(teacher))
        if teacher.multi_label != task.multi_label:
            several = "any number of labels" if task.multi_label else "one label"
            raise InputError("teacher", config.teacher, f"a model that gives a text {several}, as {task.name} does")
        if config.class_weights:
            got = f"{','.join(config.class_weights)}, for a teacher that is fine-tuned already"
            raise InputError("class_weights", got, "none: the student learns from its answers, not from labels")

    @property
    def has_flips(self) -> bool:
        return True

    def columns(self, examples):
        return examples.texts, examples.text_pairs

    def variant_lines(self, examples, place, places, config, num_variants) -> list[str]:
        own = examples.texts[place], None if examples.text_pairs is None else examples.text_pairs[place]
        rng = np.random.default_rng([config.seed, place])
        variants = make_pair_variants(own, places, num_variants, config.replace_probability, rng)
        return [line_of(place, *texts) for texts in (own, *variants)]

    def augmented(self, folder, original_share):
        return read_augmented(folder, self.task, original_share)

    def more(self, files):
        found = read_unlabelled(files, self._columns, self.task)
        message = "%d texts without labels; left out: %d that the student is evaluated on, %d that were there already."
        logging.info(message, len(found.examples), found.evaluated, found.known)
        return found.examples

    def unlabelled(self, examples):
        return dataclasses.replace(examples, labels=None)

    def batches(self, examples, model, length, batch_size, seed, repeats=None) -> LengthBuckets:
        if examples.labels is not None:
            examples = dataclasses.replace(examples, labels=self.scale.scaled(examples.labels))
        return LengthBuckets(examples, model.tokenizer, length, batch_size, seed, repeats=repeats)

    def rows(self, examples, model, length) -> TokenizedExamples:
        return TokenizedExamples(examples, model.tokenizer, length)

    def answers(self, config, teacher, like, examples, labelled) -> ModelAnswers | FileAnswers:
        if not config.teacher_predictions:
            return ModelAnswers(self, teacher)
        options = {"names": config.teacher_labels, "refuse": config.bad_lines == "refuse"}
        found = read_teacher_predictions(config.teacher_predictions, self.task, examples, self._columns, **options)
        count, found = len(found), with_labels(found, labelled, self.task, config.label_weight)
        missing = sum(key not in found for key in text_keys(examples))
        if missing == len(examples):
            raise InputError("teacher_predictions", "no answer without contradiction", "one per text")
        message = "%d texts have a teacher's answer, %d more a label alone; %d are left out, which have neither."
        logging.info(message, count, len(found) - count, missing)
        if self.task.is_regression:
            if labelled.labels is None:
                self._scale = LabelScale.of_numbers(np.concatenate(list(found.values())))
            found = {key: self.scale.scaled(number) for key, number in found.items()}
        return FileAnswers(found, self.task, like.labels)

    def add_teacher_logits(self, data, examples, teacher, length, worthwhile) -> None:
        if worthwhile:
            data.extras = {"teacher_logits": cached_logits(teacher, examples, length)}

    def losses(self, examples, repeats, class_weights) -> dict:
        seen = examples.labels if repeats is None else np.repeat(examples.labels, repeats, axis=0)
        weights = weights_of(self.task, seen, class_weights)
        return {"loss": label_loss(self.task.is_regression, self.task.multi_label, weights)}

    def dev_evaluator(self, model, length) -> DevEvaluator:
        return DevEvaluator(model, self.task, length, self.scale)

    def log(self, data, examples, length) -> None:
        logging.info(
            "%s: %d train and %d dev examples, labels %s. %d of them are cut to %d tokens.",
            *(self.task.name, len(examples), len(self.task.split("dev")), ", ".join(self.task.labels)),
            *(data.tokens.num_truncated, length),
        )

    def log_rare(self) -> None:
        task, train = self.task, self.task.split("train")
        if task.is_regression or train.labels is None:
            return
        counts = train.labels.sum(axis=0) if task.multi_label else np.bincount(train.labels, minlength=len(task.labels))
        rare = [i for i in np.argsort(counts, kind="stable") if counts[i] < RARE]
        if rare:
            names = ", ".join(f"{task.labels[i]} ({int(counts[i])})" for i in rare[:20])
            names += ", …" if len(rare) > 20 else ""
            logging.warning("%d classes have fewer than %d training examples: %s.", len(rare), RARE, names)

    def facts(self, model) -> dict:
        return {"labels": list(model.labels)}

    def card(self, record, started_from, teacher="") -> str:
        pairs = self.task.split("dev").text_pairs is not None
        return classifier_card(record, self.task.name, started_from, teacher, self.task.asset, pairs)


def task_of(config: TaskData, model: BertClassifier | None = None, given: Sequence[str] = ()) -> Task:
    """Returns the task that the settings name.

    Args:
        config: The settings.
        model: Model whose classes are those of files without a training file.
        given: Names from `--teacher_labels`, which these are then called by.
    """
    name = config.task or ("" if config.files else "movie_reviews")
    classes = {}
    if model is not None:  # it names the classes, which training texts need not have then
        classes = {"labels": given or model.labels, "multi_label": model.multi_label, "train_labels_may_lack": True}
    if getattr(config, "teacher_predictions", ()):
        classes = {"labels": config.teacher_labels or None, "train_labels_may_lack": True}
    return load_task(name, **classes, glue_dir=config.glue_dir, **dataclasses.asdict(config.files))


def classifier_of(name: str, argument: str, **options) -> BertClassifier:
    """Returns the classifier of this name; errors name its flag, `argument`."""
    with naming(argument):
        return BertClassifier.from_preset(name, **options)


def name_classes(model: BertClassifier, task: Task, argument: str, given: Sequence[str] = ()) -> None:
    """Gives a model's classes the task's names, if they have none: those given, or the task's in their order.

    Args:
        model: A classifier.
        task: The task that it answers.
        argument: Name of the model's flag.
        given: Names from `--teacher_labels`.

    Raises:
        InputError: The model has other classes.
    """
    names = task.names_of(model.labels, given, argument)
    if model.multi_label != task.multi_label:
        several = "texts with any number of labels each" if task.multi_label else "one label per text"
        raise InputError(argument, f"a {model.problem_type}", f"a model for {several}, as {task.name} has them")
    if names != model.labels and not given:
        message = "--%s: its classes have no names; %s to %s stand for %s, in the task's order."
        logging.info(message, argument, model.labels[0], model.labels[-1], ", ".join(names))
    model.labels = names
