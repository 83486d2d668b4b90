"""The settings of `--stage=augment`."""

import dataclasses

from tinybert_tf.settings.fields import AUGMENTATION, MODEL, RUN, require, setting
from tinybert_tf.settings.names import CLASSIFIER, FOLDER
from tinybert_tf.settings.recipes import recipe_default
from tinybert_tf.settings.scale import OnRunner
from tinybert_tf.settings.task_data import TaskData, TeacherLabels
from tinybert_tf.settings.training import OnDevices


@dataclasses.dataclass(frozen=True)
class AugmentConfig(OnRunner, TeacherLabels, TaskData, OnDevices):
    """Settings of `--stage=augment`: makes variants of the training texts (paper, section 3.3 and algorithm 1)."""

    masked_lm: str = setting(
        "runs/masked_lm", "Run of --stage=masked_lm, or any Hugging Face BertForMaskedLM.", MODEL, place=True
    )
    vectors: str = setting(
        "glove_6b_50d",
        "Word vectors: the packaged glove_6b_50d, a text file in GloVe's format, or a .npy beside a .txt of words.",
        MODEL,
        place=True,
    )
    stop_words: str = setting(
        "english", "Words that stay as they are: english, or a text file with one per line.", AUGMENTATION, place=True
    )
    teacher: str = setting(
        "", f"Fine-tuned teacher whose label flips are counted: {CLASSIFIER}.", MODEL, default_means="none", place=True
    )
    num_variants: int = setting(
        0, "Variants per text, at most.", AUGMENTATION, default_means=recipe_default("num_variants"), at_least=1
    )
    num_candidates: int = setting(15, "Words to choose from at each place (K in the paper).", AUGMENTATION, at_least=1)
    masked_share: float = setting(
        0.15,
        "Share of a text's tokens that the masked LM guesses at a time; 0 for one word at a time, as in the paper.",
        AUGMENTATION,
        at_least=0,
        at_most=0.5,
    )
    replace_probability: float = setting(
        0.4, "Probability that a word is replaced (p in the paper).", AUGMENTATION, above=0, at_most=1
    )
    drop_flips: bool = setting(False, "Whether variants that flip the teacher's label are left out.", AUGMENTATION)
    flip_sample: int = setting(
        2000,
        "Variants in which the teacher's label flips are counted; --drop_flips looks at all of them.",
        AUGMENTATION,
        at_least=1,
    )
    batch_tokens: int = setting(4096, "Tokens that the masked LM reads at a time.", RUN, at_least=1)
    seed: int = setting(42, "Seed of every random draw.", RUN, at_least=0)
    output_dir: str = setting("runs/augment", FOLDER, RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "devices", self.devices == "1" or not self.runner, "1: each worker of a --runner has one device")
        require(self, "drop_flips", not self.drop_flips or bool(self.teacher), "a --teacher to judge by")
