"""The settings of `--stage=task`."""

import dataclasses

from tinybert_tf.configs import QUANTIZED_FORMATS
from tinybert_tf.settings.distillation import Distillation
from tinybert_tf.settings.fields import DISTILLATION, MODEL, RUN, TRAINING, require, setting, setting_like
from tinybert_tf.settings.names import CLASSIFIER, FOLDER, SHAPES
from tinybert_tf.settings.recipes import recipe_default
from tinybert_tf.settings.stages.finetune import FinetuneConfig
from tinybert_tf.settings.task_data import OnAugmented, OnUnlabelled, TaskData, TeacherPredictions
from tinybert_tf.settings.training import CheckpointChoice, Training


@dataclasses.dataclass(frozen=True)
class TaskConfig(OnUnlabelled, OnAugmented, TeacherPredictions, CheckpointChoice, TaskData, Distillation, Training):
    """Settings of `--stage=task`: distils a fine-tuned teacher, or files of answers, into a student (paper, 3.2)."""

    teacher: str = setting(
        "",
        f"Fine-tuned classifier to imitate: {CLASSIFIER}.",
        MODEL,
        default_means="runs/finetune, or none with --teacher_predictions",
        place=True,
    )
    bad_lines: str = setting_like(
        TaskData,
        "bad_lines",
        help="What to do with rows of --teacher_predictions that cannot be used, and with questions whose answers are "
        "not at the given places in their contexts.",
    )
    student: str = setting(
        "runs/general",
        f"Student of --stage=general, or another model, or the shape of a new student ({SHAPES}).",
        MODEL,
        place=True,
    )
    phase: str = setting(
        "",
        "What is matched. A new student of --student_init=svd or random has two as its default.",
        DISTILLATION,
        default_means=recipe_default("phase"),
        first=True,
        choices={
            "two": "phase 1, then phase 2",
            "intermediate": "phase 1 alone, which matches layers",
            "prediction": "phase 2 alone, which matches logits",
            "joint": "all losses at once",
        },
    )
    mixup: float = setting(
        0.0,
        "Share of the texts in each batch that are mixed with another one (MixKD); the teacher answers mixtures.",
        DISTILLATION,
        at_least=0,
        at_most=1,
    )
    temperature: float = setting(1.0, "Number that divides the logits of both models.", DISTILLATION, above=0)
    prediction_weight: float = setting(1.0, "Weight of the prediction loss in --phase=joint.", DISTILLATION, at_least=0)
    head_init: str = setting(
        "teacher",
        "Where the student's pooler and head start in phase 2.",
        DISTILLATION,
        choices={"teacher": "from the teacher's", "own": "as they are"},
    )
    layer_cache: str = setting(
        "",
        "Folder that keeps the teacher's layers and logits, so that the teacher reads each training text once.",
        DISTILLATION,
        default_means="none",
        place=True,
    )
    epochs: int = setting_like(
        Training,
        "epochs",
        default=0,
        help="Passes of phase 1 or joint; alone, it lifts the recipe's limit of steps.",
        default_means=recipe_default("epochs"),
        at_least=1,
    )
    max_steps: int = setting_like(
        Training,
        "max_steps",
        help="Optimizer steps of phase 1 or joint, which also caps phase 2; alone, it replaces the passes.",
        default_means=recipe_default("max_steps"),
    )
    min_steps: int = setting_like(
        FinetuneConfig,
        "min_steps",
        help="Optimizer steps of each phase, at least: few texts are passed over more often. Limits of steps win.",
    )
    learning_rate: float = setting_like(
        Training,
        "learning_rate",
        default=0.0,
        help="Learning rate of phase 1 or joint, at the peak of a linear warm-up and decay.",
        default_means=recipe_default("learning_rate"),
    )
    prediction_epochs: int = setting(
        0,
        "Passes of phase 2; alone, it lifts the recipe's limit of steps.",
        TRAINING,
        default_means=recipe_default("prediction_epochs"),
        at_least=1,
    )
    prediction_max_steps: int = setting(
        0,
        "Optimizer steps of phase 2; alone, it replaces the passes.",
        TRAINING,
        default_means=recipe_default("prediction_max_steps"),
        at_least=1,
    )
    prediction_learning_rate: float = setting(
        0.0,
        "Learning rate of phase 2, at its peak.",
        TRAINING,
        default_means=recipe_default("prediction_learning_rate"),
        above=0,
        below=1,
    )
    dropout: float = setting(0.0, "Dropout of the student in training.", TRAINING, at_least=0, below=1)
    quantize: str = setting(
        "none",
        "Number format of the exported file, whose rounded weights the student learns with.",
        TRAINING,
        choices=("none", *QUANTIZED_FORMATS),
    )
    sparsity: float = setting(
        0.0, "Share of each matrix's weights that training prunes, smallest first.", TRAINING, at_least=0, below=1
    )
    output_dir: str = setting("runs/task", FOLDER, RUN)

    @property
    def keeps_head(self) -> bool:
        """Whether the student's head starts as it is."""
        return self.head_init == "own" or not self.teacher

    def __post_init__(self):
        super().__post_init__()
        if not self.teacher and not self.teacher_predictions:
            object.__setattr__(self, "teacher", "runs/finetune")
        reads_layers = bool(self.teacher) and self.phase != "prediction" and self.matches_layers
        require(self, "layer_cache", reads_layers or not self.layer_cache, "none where no layers are matched")
        check_mixup(self, self.rows)
        learns = self.phase != "intermediate" or not self.teacher_predictions
        require(self, "phase", learns, "a phase that matches the answers of --teacher_predictions")
        without_layers = self.phase in ("", "prediction")
        require(self, "phase", bool(self.teacher) or without_layers, "prediction, or a --teacher that has layers")


def check_mixup(settings, rows: int) -> None:
    """Refuses mixtures of texts where nothing answers them, or where there is no second text.

    Args:
        settings: Settings of a stage, with `mixup`, `layer_cache` and `teacher_predictions`.
        rows: Sequences that are computed at a time.

    Raises:
        InputError: Texts are to be mixed, and cannot.
    """
    if settings.mixup:
        require(settings, "layer_cache", not settings.layer_cache, "none with --mixup: the teacher reads new mixtures")
        expected = "0 with --teacher_predictions, which have no answers to mixtures"
        require(settings, "mixup", not settings.teacher_predictions, expected)
        require(settings, "mixup", rows > 1, "0 where texts are computed one by one")
