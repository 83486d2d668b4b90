"""The settings of `--stage=finetune`."""

import dataclasses
from typing import ClassVar

from tinybert_tf.settings.fields import MODEL, RUN, TRAINING, setting, setting_like
from tinybert_tf.settings.names import ANY_MODEL, FOLDER, SHAPES
from tinybert_tf.settings.recipes import Recipe
from tinybert_tf.settings.task_data import OnAugmented, TaskData
from tinybert_tf.settings.training import CheckpointChoice, Training


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(OnAugmented, CheckpointChoice, TaskData, Training):
    """Settings of `--stage=finetune`: fine-tunes a BERT on labels, which makes the teacher."""

    RENAMED: ClassVar[dict[str, str]] = {"teacher": "model"}

    model: str = setting(
        "minilm_l6", f"Model to fine-tune: {ANY_MODEL}; or a shape to train from scratch ({SHAPES}).", MODEL, place=True
    )
    epochs: int = setting_like(
        Training,
        "epochs",
        default=0,
        default_means=f"{Training.epochs}, or as many as take {Recipe.fewest_steps} steps (SQuAD: {Training.epochs})",
        at_least=1,
    )
    max_steps: int = setting_like(
        Training, "max_steps", help="Optimizer steps, at most; alone, it replaces the passes."
    )
    dropout: float = setting(0.1, "Dropout in training.", TRAINING, at_least=0, below=1)
    class_weights: tuple[str, ...] = setting(
        (),
        "Weights of the classes in the loss: balanced gives each class the same total weight; complaint=5,praise=0.5 "
        "sets some.",
        TRAINING,
        default_means="none",
    )
    output_dir: str = setting("runs/finetune", FOLDER, RUN)
