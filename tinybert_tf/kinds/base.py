"""What the stages ask a kind of task."""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinybert_tf.data.batches import Buckets, Rows
from tinybert_tf.kinds.answer_sources import FileAnswers, ModelAnswers
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.presets.pretrained import Pretrained


class Kind(abc.ABC):
    """A task that has been read, and everything that its kind of answer decides.

    Args:
        config: Settings that name the task.

    Attributes:
        task: The task: its `name`, `splits`, `split(name)`, `report_split` and `fingerprint()`.

    Raises:
        InputError: The task cannot be read.
    """

    task: Any

    # === Models ===

    @classmethod
    @abc.abstractmethod
    def load(cls, name: str, argument: str, **options) -> ModelWithHead:
        """Returns the fine-tuned model of this name; errors name its flag, `argument`."""

    @abc.abstractmethod
    def adopt(self, model: ModelWithHead, argument: str) -> None:
        """Makes sure that a model answers this task, and names its classes, if it has any.

        Args:
            model: A model that `load` has returned.
            argument: Name of the model's flag.

        Raises:
            InputError: It answers other questions.
        """

    def names_of(self, source: Pretrained) -> tuple[str, ...]:
        """Returns the names that `--teacher_labels` gives to a fine-tuned teacher's classes."""
        return ()

    @abc.abstractmethod
    def new_model(self, encoder, like=None) -> ModelWithHead:
        """Returns a model with a new head, for the task or for the answers of another model.

        Args:
            encoder: Its encoder.
            like: A model, or a task, whose answers a student is to give.
        """

    @abc.abstractmethod
    def with_head(self, source: Pretrained, like, **options) -> ModelWithHead | None:
        """Returns a saved model with its head, if it gives the answers of the model or task `like`; else None."""

    def to_unit(self, model: ModelWithHead) -> None:  # noqa: B027, most kinds have one unit
        """Makes a model answer in the unit in which it learns."""

    def from_unit(self, model: ModelWithHead) -> None:  # noqa: B027
        """Makes a model that answers in the unit in which it learns answer in the task's own."""

    # === Recipe ===

    @staticmethod
    @abc.abstractmethod
    def is_answered_by(source: Pretrained) -> bool:
        """Returns whether a model has a head of this kind, and so needs no fine-tuning."""

    @abc.abstractmethod
    def check_recipe(self, config, teacher: Pretrained) -> None:
        """Refuses settings of the whole recipe that the task or the teacher has no use for.

        Args:
            config: Settings of `--stage=all`.
            teacher: The teacher, fine-tuned or not.

        Raises:
            InputError: One of these does not fit.
        """

    # === Augmentation ===

    @property
    @abc.abstractmethod
    def has_flips(self) -> bool:
        """Whether a variant may flip a teacher's label, and so a teacher is of use to the augmentation."""

    @abc.abstractmethod
    def columns(self, examples) -> tuple[list[str], list[str] | None]:
        """Returns the first and the second texts of examples, or None for the latter."""

    @abc.abstractmethod
    def variant_lines(self, examples, place: int, places, config, num_variants: int) -> list[str]:
        """Returns the lines of an example and of its variants for the file of an augmentation.

        Args:
            examples: The examples.
            place: The example's place.
            places: Where its first and its second text may change, from `Augmenter.places`.
            config: Settings of `--stage=augment`.
            num_variants: Most variants of a text.
        """

    # === Data ===

    @abc.abstractmethod
    def augmented(self, folder: str, original_share: float) -> tuple[Any, np.ndarray]:
        """Returns the examples of an augmentation, and how often a pass shows each."""

    @abc.abstractmethod
    def more(self, files: Sequence[str]):
        """Returns examples without labels from files of `--unlabeled_file`, without those that the task has.

        Raises:
            InputError: A file cannot be read, or is of no use to the task.
        """

    @abc.abstractmethod
    def unlabelled(self, examples):
        """Returns examples without their labels."""

    @abc.abstractmethod
    def batches(
        self, examples, model: ModelWithHead, length: int, batch_size: int, seed: int, repeats: np.ndarray | None = None
    ) -> Buckets:
        """Returns batches of examples: for a model that learns from labels, if they have any.

        Args:
            examples: The examples.
            model: Model whose tokenizer cuts them.
            length: Most tokens in a row.
            batch_size: Rows per batch.
            seed: Seed of every shuffle.
            repeats: How often a pass shows each example; once by default.
        """

    @abc.abstractmethod
    def rows(self, examples, model: ModelWithHead, length: int) -> Rows:
        """Returns the tokens of examples."""

    @abc.abstractmethod
    def answers(self, config, teacher: ModelWithHead | None, like, examples, labelled) -> ModelAnswers | FileAnswers:
        """Returns where the teacher's answers come from: the teacher, or files.

        Args:
            config: Settings of `--stage=task`.
            teacher: The teacher; None where files alone teach.
            like: The model or the task whose order of classes the student has.
            examples: All examples that a student may learn from.
            labelled: Those of them that have a label, in files that have labels.

        Raises:
            InputError: A file cannot be used.
        """

    @abc.abstractmethod
    def add_teacher_logits(self, data: Buckets, examples, teacher: ModelWithHead, length: int, worthwhile: bool):
        """Gives batches the teacher's logits, if that is worthwhile.

        Args:
            data: Batches of the examples.
            examples: The examples.
            teacher: The teacher.
            length: Most tokens in a row.
            worthwhile: Whether each example is shown more than once.
        """

    # === Learning ===

    @abc.abstractmethod
    def losses(self, examples, repeats: np.ndarray | None, class_weights: tuple[str, ...]) -> dict:
        """Returns the losses of labels as arguments of `compile`.

        Args:
            examples: The training examples.
            repeats: How often a pass shows each.
            class_weights: The flag's value.

        Raises:
            InputError: The weights do not fit.
        """

    @abc.abstractmethod
    def dev_evaluator(self, model: ModelWithHead, length: int) -> Callable[[], dict[str, float]]:
        """Returns a function that measures the model on dev; its `results()` are those for `run.json`.

        Raises:
            InputError: The dev examples have no labels.
        """

    @abc.abstractmethod
    def log(self, data: Buckets, examples, length: int) -> None:
        """Says what the model is about to learn from."""

    @abc.abstractmethod
    def log_rare(self) -> None:
        """Says which answers have too few examples."""

    @abc.abstractmethod
    def facts(self, model: ModelWithHead) -> dict:
        """Returns what `run.json` says about the model's answers."""

    @abc.abstractmethod
    def card(self, record: dict, started_from: str, teacher: str = "") -> str:
        """Returns the model's card; see `presets.model_card`."""
