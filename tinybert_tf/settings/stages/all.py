"""The settings of `--stage=all`."""

import dataclasses

from tinybert_tf.settings.distillation import Distillation
from tinybert_tf.settings.fields import AUGMENTATION, MODEL, RUN, TRAINING, require, setting, setting_like
from tinybert_tf.settings.names import ANY_MODEL, SHAPES
from tinybert_tf.settings.recipes import recipe_default
from tinybert_tf.settings.stages.augment import AugmentConfig
from tinybert_tf.settings.stages.evaluate import EvaluateConfig
from tinybert_tf.settings.stages.finetune import FinetuneConfig
from tinybert_tf.settings.stages.masked_lm import MaskedLMConfig
from tinybert_tf.settings.stages.task import TaskConfig, check_mixup
from tinybert_tf.settings.task_data import OnUnlabelled, TaskData, TeacherPredictions
from tinybert_tf.settings.training import MOST_SEED, CheckpointChoice, OnDevices, OnText, Training


@dataclasses.dataclass(frozen=True)
class AllConfig(OnUnlabelled, TeacherPredictions, CheckpointChoice, TaskData, Distillation, OnDevices):
    """Settings of `--stage=all`: the whole recipe for a task, from teacher to evaluation; finished parts are kept."""

    corpus: tuple[str, ...] = setting_like(MaskedLMConfig, "corpus")
    corpus_field: str = setting_like(OnText, "corpus_field")
    bad_lines: str = setting_like(
        OnText,
        "bad_lines",
        help="What to do with rows of --teacher_predictions, and lines of the corpus, that cannot be used.",
    )
    teacher: str = setting(
        "minilm_l6", f"Plain BERT to fine-tune and distil, or a classifier to distil: {ANY_MODEL}.", MODEL, place=True
    )
    student: str = setting(
        "tinybert_4l_312", f"Shape of a new student ({SHAPES}), or a student of --stage=general.", MODEL, place=True
    )
    mixup: float = setting_like(TaskConfig, "mixup")
    layer_cache: str = setting_like(TaskConfig, "layer_cache")
    augment: bool | None = setting(
        None, "Whether the training texts are augmented.", AUGMENTATION, default_means=recipe_default("augment")
    )
    num_variants: int = setting_like(AugmentConfig, "num_variants")
    masked_lm: str = setting(
        "", "BertForMaskedLM to augment with.", AUGMENTATION, default_means="one trained on --corpus", place=True
    )
    vectors: str = setting_like(AugmentConfig, "vectors", group=AUGMENTATION)
    stop_words: str = setting_like(AugmentConfig, "stop_words")
    general_steps: int = setting(
        0,
        "Steps of general distillation before the task. Without it a new student starts from the fine-tuned teacher.",
        TRAINING,
        default_means="none",
        at_least=1,
    )
    task_steps: int = setting(
        0,
        "Steps of task distillation (phase 1 or joint) in place of the recipe's passes; they also cap phase 2.",
        TRAINING,
        default_means=recipe_default("max_steps"),
        at_least=1,
    )
    max_steps: int = setting(
        0, "Steps of every stage that trains, at most.", TRAINING, default_means="no limit", at_least=1
    )
    min_steps: int = setting_like(
        FinetuneConfig,
        "min_steps",
        help="Optimizer steps of the teacher and the student, at least: few texts are passed over more often.",
    )
    batch_size: int = setting_like(Training, "batch_size")
    class_weights: tuple[str, ...] = setting_like(FinetuneConfig, "class_weights")
    litert: bool = setting_like(EvaluateConfig, "litert")
    seed: int = setting(42, "Seed of every stage.", RUN, at_least=0, at_most=MOST_SEED)
    dtype_policy: str = setting_like(Training, "dtype_policy")
    deterministic: bool = setting_like(Training, "deterministic")
    output_dir: str = setting("runs/all", "Folder of the runs; repeat the command to resume.", RUN)

    def __post_init__(self):
        super().__post_init__()
        expected = "a weight above 0 for embeddings, hidden states, attention or relations"
        require(self, "attention_weight", self.matches_layers, expected)
        check_mixup(self, self.batch_size)
