"""What stages share: seeds, tasks from settings, and the loop's schedule."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.data.packing import PackedText
from tinybert_tf.data.tasks import Task, load_task
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer
from tinybert_tf.presets.resolve import load_encoder
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.shared import OnText, TaskData, Training
from tinybert_tf.training.loop import Schedule
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.run_directory import RunDirectory


def seed_everything(config: Training) -> None:
    """Sets every seed, and, where asked for, ops that compute the same each time."""
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def task_of(config: TaskData, labels: Sequence[str] | None = None) -> Task:
    """Returns the task that the settings name; `labels` are a model's, for files without a training file."""
    has_files = config.train_file or config.dev_file or config.test_file
    return load_task(
        config.task or ("" if has_files else "movie_reviews"),
        train_file=config.train_file,
        dev_file=config.dev_file,
        test_file=config.test_file,
        text_column=config.text_column,
        text_pair_column=config.text_pair_column,
        label_column=config.label_column,
        regression=config.regression,
        labels=labels,
    )


def sequence_length_of(config: TaskData, task: Task, *models) -> int:
    """Returns the tokens in a row: the flag, or the task's own, which models without so many positions cut.

    Raises:
        InputError: the flag asks for more than a model has.
    """
    longest = min(model.config.max_sequence_length for model in models)
    if config.sequence_length > longest:
        raise InputError("sequence_length", config.sequence_length, f"at most {longest}, as the models have positions")
    return config.sequence_length or min(longest, recipe_for(task.name).sequence_length)


def length_of(model: BertClassifier, sequence_length: int) -> int:
    """Returns the tokens in a row: what is asked for, or, for 0, what the model was saved with.

    Raises:
        InputError: more is asked for than the model has positions.
    """
    longest = model.config.max_sequence_length
    if sequence_length > longest:
        raise InputError("sequence_length", sequence_length, f"at most {longest}, as the model has positions")
    return sequence_length or min(model.tokenizer.sequence_length, longest)


def run_directory_of(config, stage: str) -> RunDirectory:
    """Returns the run directory of a stage's settings.

    Raises:
        InputError: the folder holds another run, or something else.
    """
    settings = dataclasses.asdict(config)
    settings.pop("android_assets", None)  # where copies go to: no part of the run
    return RunDirectory(settings.pop("output_dir"), stage, settings)


def encoder_of(name: str, tokenizer: BertTokenizer, argument: str, **options) -> BertEncoder:
    """Returns a new encoder of a named shape, with random weights and this tokenizer, or else the model of that name.

    Args:
        name: one of `STUDENT_PRESETS`, or what `BertEncoder.from_preset` takes.
        tokenizer: of a new encoder; its vocabulary is the encoder's.
        argument: what errors call the name.
        **options: arguments of `BertEncoder`.
    """
    if name not in STUDENT_PRESETS:
        return load_encoder(name, argument=argument, **options)
    shape = dataclasses.replace(STUDENT_PRESETS[name], vocabulary_size=len(tokenizer.vocabulary))
    return BertEncoder.from_shape(shape, tokenizer=tokenizer, **options)


def optimizer_of(config: Training, learning_rate: float, max_steps: int) -> keras.optimizers.Optimizer:
    """Returns BERT's optimizer as the settings want it."""
    return bert_optimizer(
        learning_rate,
        max_steps,
        config.warmup_proportion,
        config.weight_decay,
        config.gradient_accumulation_steps,
    )


def schedule_of(config: Training, max_steps: int) -> Schedule:
    """Returns the loop's schedule."""
    return Schedule(
        max_steps, config.save_steps, config.log_steps, config.eval_steps, config.gradient_accumulation_steps
    )


def steps_on_text(config: OnText, text: PackedText) -> int:
    """Returns the optimizer updates that the settings ask for."""
    if not config.epochs:
        return config.max_steps
    logging.info("Counting the batches of %d epochs.", config.epochs)
    steps = text.count(config.epochs)
    return min(steps, config.max_steps) if config.max_steps else steps


def in_one_line(values: dict[str, float]) -> str:
    """Metrics by name, for people: fractions as percentages."""
    return ", ".join(f"{name} {100 * value:.2f}" for name, value in values.items())
