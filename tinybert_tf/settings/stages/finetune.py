"""The settings of `--stage=finetune`."""

import dataclasses
from typing import ClassVar

from tinybert_tf.settings.fields import MODEL, RUN, TRAINING, require, setting
from tinybert_tf.settings.names import ANY_MODEL, FOLDER, SHAPES
from tinybert_tf.settings.recipes import recipe_default
from tinybert_tf.settings.task_data import OnAugmented, TaskData
from tinybert_tf.settings.training import CheckpointChoice, Training


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(OnAugmented, CheckpointChoice, TaskData, Training):
    """Settings of `--stage=finetune`: fine-tunes a BERT on labels, which makes the teacher."""

    RENAMED: ClassVar[dict[str, str]] = {"teacher": "model"}

    model: str = setting(
        "minilm_l6", f"Model to fine-tune: {ANY_MODEL}; or a shape to train from scratch ({SHAPES}).", MODEL, place=True
    )
    min_steps: int = setting(
        0,
        "Optimizer steps, at least: few texts are passed over more often than --epochs says. Limits of steps win.",
        TRAINING,
        default_means=recipe_default("min_steps", zero="none"),
        at_least=1,
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

    def __post_init__(self):
        super().__post_init__()
        require(self, "epochs", self.epochs >= 1 or self.max_steps >= 1, "1 or more, or --max_steps")
