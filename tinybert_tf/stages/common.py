"""What stages share: models and tasks from settings, lengths, optimizer and schedule."""

import dataclasses
import itertools
import shlex
from collections.abc import Iterable
from typing import NamedTuple

import keras
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig
from tinybert_tf.data.batches import first_tokens
from tinybert_tf.data.packed_records import open_corpus
from tinybert_tf.data.packing import PackedText
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.records import Records
from tinybert_tf.data.tasks import Task
from tinybert_tf.data.text import Corpus
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.closed_form import explained
from tinybert_tf.distillation.initialization import fit_projections, initialize_embeddings, initialize_from_teacher
from tinybert_tf.errors import InputError, naming
from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer
from tinybert_tf.settings.distillation import Distillation
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.task_data import TaskData
from tinybert_tf.settings.training import OnText, Training
from tinybert_tf.training.loop import Schedule
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.run_directory import RunDirectory


def check_threshold(threshold: float, model: BertClassifier) -> None:
    """Refuses a threshold for a model that compares no probability with one."""
    if threshold != 0.5 and not model.multi_label:
        raise InputError("threshold", threshold, "none: the model gives each text one answer")


def check_null_threshold(threshold: float | None) -> None:
    """Refuses the threshold of "no answer" for a classifier."""
    if threshold is not None:
        raise InputError("null_threshold", threshold, "none: it is for models that answer questions")


def is_shape(name: str) -> bool:
    """Returns whether a name stands for a shape, to train from scratch, and not for a model."""
    return name in STUDENT_PRESETS


class Shape(NamedTuple):
    """What a new encoder will have: its config and its tokenizer."""

    config: EncoderConfig
    tokenizer: BertTokenizer


def shape_of(name: str, tokenizer: BertTokenizer, teacher: EncoderConfig | None = None) -> Shape | None:
    """Returns the shape of this name; None if the name is a model's.

    It has the tokenizer's vocabulary and segments, and relative positions if its teacher, with as many heads, has them.

    Args:
        name: A shape, or a model's name.
        tokenizer: The new encoder's tokenizer.
        teacher: Config of the teacher, if there is one.
    """
    if not is_shape(name):
        return None
    config = dataclasses.replace(STUDENT_PRESETS[name], vocabulary_size=len(tokenizer.vocabulary))
    if not tokenizer.takes_pairs:
        config = dataclasses.replace(config, num_segments=1)
    if teacher and teacher.relative_position_buckets and teacher.num_heads == config.num_heads:
        same = ("relative_position_buckets", "num_segments", "family")
        config = dataclasses.replace(config, **{field: getattr(teacher, field) for field in same})
    return Shape(config, tokenizer)


def encoder_of(name: str, teacher: BertEncoder | None, argument: str, **options) -> BertEncoder:
    """Returns a new encoder if the name is a shape, with random weights, or else the named model.

    Args:
        name: A shape, or a model's name, as for `BertEncoder.from_preset`.
        teacher: Whose tokenizer a new encoder gets, and whose kind of positions; by default, the tokenizer is that of
            `minilm_l6`.
        argument: Flag that the name came from, for errors.
        **options: Arguments of `BertEncoder`.
    """
    with naming(argument):
        if not is_shape(name):
            return BertEncoder.from_preset(name, **options)
        source = teacher or BertEncoder.from_preset("minilm_l6", load_weights=False)
    shape = shape_of(name, source.tokenizer, teacher and teacher.config)
    return BertEncoder.from_shape(shape.config, tokenizer=shape.tokenizer, **options)


def check_start(config: Distillation, teacher: BertEncoder, student: BertEncoder) -> None:
    """Refuses a new student that cannot be cut out of its teacher."""
    wider = student.config.hidden_dim > teacher.config.hidden_dim
    if wider and is_shape(config.student) and config.student_init == "teacher":
        got = f"teacher, for a student of width {student.config.hidden_dim}"
        expected = f"svd or random, because the teacher is only {teacher.config.hidden_dim} wide"
        raise InputError("student_init", got, expected)


def start_student(config: Distillation, distiller: TinyBertDistiller, batches: Iterable[dict], few: int) -> None:
    """Starts a new student as --student_init says, its head aside; one that has learned gets projections that fit it.

    Args:
        config: The settings.
        distiller: A distiller with the student.
        batches: Batches of inputs, one pass at most.
        few: Number of batches that are enough for embeddings or projections.
    """
    if not is_shape(config.student):
        fit_projections(distiller, list(itertools.islice(batches, few)))
    elif config.student_init == "teacher":
        fits = initialize_from_teacher(distiller, first_tokens(batches, config.init_tokens), head=False)
        logging.info("%s", explained(fits))
    elif config.student_init == "svd":
        initialize_embeddings(distiller, list(itertools.islice(batches, few)))


def corpus_of(config: OnText) -> Corpus | Records:
    """Returns the corpus, or the records, that the settings name."""
    return open_corpus(config.corpus, config.corpus_field, config.without, config.bad_lines)


def watch(corpus: Corpus | Records, folder: RunDirectory) -> None:
    """Has the run's record say that lines of the corpus could not be read, so that they may be mended meanwhile."""
    corpus.bad_lines.when_found = lambda: folder.note_unread("corpus")
    if corpus.bad_lines.count:
        folder.note_unread("corpus")


def not_read(corpus: Corpus | Records) -> dict[str, int]:
    """Returns what was left out of the corpus as far as it was read, for `run.json`, and says so."""
    counts = {"left_out": len(corpus.left_out), "bad_lines": corpus.bad_lines.count}
    if counts["left_out"]:
        logging.info("%d texts of the corpus were left out: --without has them.", counts["left_out"])
    if counts["bad_lines"]:
        logging.info("Lines of the corpus that could not be read and were left out: %d.", counts["bad_lines"])
    return counts


def command(stage: str, **flags) -> str:
    """Returns a command that the user may type next, with quotes where a shell needs them."""
    given = (f" --{name}={shlex.quote(str(value))}" for name, value in flags.items())
    return f"python -m tinybert_tf.main --stage={stage}" + "".join(given)


def longest_length(sequence_length: int, *models) -> int:
    """Returns the largest number of tokens for which all models have positions.

    Raises:
        InputError: `sequence_length` is larger.
    """
    longest = min(model.config.max_sequence_length for model in models)
    if sequence_length > longest:
        raise InputError("sequence_length", sequence_length, f"at most {longest}, the models' number of positions")
    return longest


def task_length(config: TaskData, task: Task | QuestionTask, *models) -> int:
    """Returns the most tokens in a row: the flag's value, or the task's own, which the models' positions limit.

    Raises:
        InputError: The flag's value is larger than a model's positions.
    """
    longest = longest_length(config.sequence_length, *models)
    return config.sequence_length or min(longest, recipe_for(task.name).sequence_length)


def saved_length(sequence_length: int, model: BertClassifier) -> int:
    """Returns the most tokens in a row: the given number, or, for 0, the one that the model was saved with.

    Raises:
        InputError: The given number is larger than the model's positions.
    """
    longest = longest_length(sequence_length, model)
    return sequence_length or min(model.tokenizer.sequence_length, longest)


def optimizer_of(config: Training, learning_rate: float, max_steps: int) -> keras.optimizers.Optimizer:
    """Returns BERT's optimizer with these settings."""
    return bert_optimizer(
        learning_rate,
        max_steps,
        config.warmup_proportion,
        config.weight_decay,
        config.gradient_accumulation_steps,
    )


def schedule_of(config: Training, max_steps: int) -> Schedule:
    """Returns the loop's schedule with these settings."""
    return Schedule(
        max_steps, config.save_steps, config.log_steps, config.eval_steps, config.gradient_accumulation_steps
    )


def steps_on_text(config: OnText, text: PackedText) -> int:
    """Returns the optimizer steps that the settings ask for."""
    if not config.epochs:
        return config.max_steps
    logging.info("Counting the batches of %d epochs.", config.epochs)
    steps = text.count(config.epochs)
    return min(steps, config.max_steps) if config.max_steps else steps
