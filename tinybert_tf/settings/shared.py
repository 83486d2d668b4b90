"""What the settings of several stages share, as frozen dataclasses; each field is a flag of its name."""

import dataclasses
import math

from tinybert_tf.configs import LossWeights
from tinybert_tf.errors import InputError
from tinybert_tf.settings.recipes import TASK_NAMES

MODEL = (
    "keras-hub preset (bert_base_en_uncased), hf://USER/MODEL, model folder, run directory, or packaged "
    "minilm_l6 or mpnet_base"
)
CLASSIFIER = (
    "classifier: run directory, model folder, hf://USER/MODEL, or keras-hub preset that has a head "
    "(bert_tiny_en_uncased_sst2)"
)
CORPUS = (
    "comma-separated: globs of text files (plain or .gz, an empty line ends a document) or of .jsonl files, tfds:NAME, "
    "or the packaged wiki_openings and movie_reviews"
)


def setting(default, help: str):
    """A field of a stage's config: its default and what `--help` says of the flag of that name."""
    return dataclasses.field(default=default, metadata={"help": help})


def require(config, name: str, fits: bool, expected: str) -> None:
    """Raises InputError, naming the setting, unless it fits."""
    if not fits:
        raise InputError(name, getattr(config, name), expected)


def require_one_of(config, name: str, choices: tuple[str, ...]) -> None:
    """Raises InputError unless the setting is one of the choices."""
    require(config, name, getattr(config, name) in choices, f"one of {', '.join(choices)}")


class Settings:
    """What every config can do."""

    def __post_init__(self):
        """Raises InputError for settings that cannot be."""

    @classmethod
    def help_of(cls, name: str) -> str:
        """Returns what `--help` says of a field."""
        return next(field.metadata["help"] for field in dataclasses.fields(cls) if field.name == name)


@dataclasses.dataclass(frozen=True)
class TaskData(Settings):
    """What every stage that reads labelled data can be told."""

    task: str = setting("", f"{', '.join(TASK_NAMES)}; movie_reviews where neither it nor files are given")
    train_file: str = setting("", "your own examples: .csv, .tsv or .jsonl with a header, UTF-8")
    dev_file: str = setting("", "examples that choices are made on; a seeded tenth of --train_file by default")
    test_file: str = setting("", "examples that results are reported on")
    text_column: str = setting("text", "name of the column that holds the text")
    text_pair_column: str = setting("", "name of the column that holds a second text, if there is one")
    label_column: str = setting("label", "name of the column that holds the class, or the number to predict")
    regression: bool = setting(False, "labels are numbers to predict")
    sequence_length: int = setting(0, "tokens in a text or pair; 0 for the task's own (64 or 128)")

    def __post_init__(self):
        super().__post_init__()
        require(self, "sequence_length", self.sequence_length == 0 or self.sequence_length >= 8, "8 or more")
        files = self.train_file or self.dev_file or self.test_file
        if self.task:
            require_one_of(self, "task", TASK_NAMES)
            require(self, "task", not files, "one of the two: --task, or --train_file and the like")


@dataclasses.dataclass(frozen=True)
class Training(Settings):
    """What every stage that trains can be told."""

    batch_size: int = setting(32, "sequences in an update")
    warmup_proportion: float = setting(0.1, "share of the updates that warms up")
    weight_decay: float = setting(0.01, "AdamW's, not on biases and layer norms")
    gradient_accumulation_steps: int = setting(1, "parts of a batch that are computed one after another")
    save_steps: int = setting(100, "updates between checkpoints")
    log_steps: int = setting(10, "updates between lines of metrics.jsonl")
    eval_steps: int = setting(100, "updates between evaluations on held-out data")
    seed: int = setting(42, "of weights, order and dropout")
    dtype_policy: str = setting("float32", "float32, mixed_bfloat16 or mixed_float16")
    jit_compile: bool = setting(False, "compile the whole step with XLA; needs --deterministic=false")
    deterministic: bool = setting(True, "same seed, same weights, bit for bit")

    def __post_init__(self):
        super().__post_init__()
        for name in ("batch_size", "gradient_accumulation_steps", "save_steps", "log_steps", "eval_steps"):
            require(self, name, getattr(self, name) >= 1, "1 or more")
        for name in ("max_steps", "epochs", "seed", "weight_decay"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require(self, "warmup_proportion", 0 <= self.warmup_proportion <= 1, "a number from 0 to 1")
        divides = self.batch_size % self.gradient_accumulation_steps == 0
        require(self, "gradient_accumulation_steps", divides, f"a divisor of batch_size={self.batch_size}")
        if self.jit_compile and self.deterministic:
            raise InputError(
                "jit_compile", "true, with --deterministic=true", "--deterministic=false: Keras has no both"
            )
        require_one_of(self, "dtype_policy", ("float32", "mixed_bfloat16", "mixed_float16"))


@dataclasses.dataclass(frozen=True)
class OnText(Training):
    """What stages that train on unlabelled text can be told besides."""

    corpus: tuple[str, ...] = setting(("wiki_openings",), CORPUS)
    corpus_field: str = setting("text", "the text's name in JSONL objects and TFDS examples")
    max_steps: int = setting(300, "optimizer updates; 0 for as many as --epochs says")
    epochs: int = setting(0, "stop after so many passes over the corpus, should that come first; 0 for no limit")
    sequence_length: int = setting(64, "tokens in a sequence")
    learning_rate: float = setting(3e-3, "at the peak of a linear warm-up and decay")
    eval_sequences: int = setting(256, "held-out sequences")

    def __post_init__(self):
        super().__post_init__()
        require(self, "eval_sequences", self.eval_sequences >= 0, "0 or more")
        require(self, "sequence_length", self.sequence_length >= 8, "8 or more")
        require(self, "learning_rate", 0 < self.learning_rate < math.inf, "a number above 0")
        if not self.max_steps and not self.epochs:
            raise InputError("max_steps", "0, with --epochs=0", "one of the two above 0")
        if not self.corpus:
            raise InputError("corpus", "nothing", "at least one source")


@dataclasses.dataclass(frozen=True)
class Distillation(Settings):
    """What stages that match layers can be told."""

    layer_map: str = setting("uniform", "teacher layer for each student layer: uniform, top, bottom, or as 2,3,5,6")
    embedding_weight: float = setting(1.0, "weight of the embedding loss")
    hidden_weight: tuple[float, ...] = setting((1.0,), "weight of the hidden loss: one, or one a student layer")
    attention_weight: tuple[float, ...] = setting((1.0,), "weight of the attention loss: one, or one a student layer")
    projection: str = setting("per_layer", "W from student to teacher width: per_layer, or shared")
    match_position_bias: bool = setting(
        False, "match an MPNet's attention scores with its bias by relative position, or without"
    )
    student_init: str = setting("svd", "embeddings of a new student: svd of the teacher's, or random")

    def __post_init__(self):
        super().__post_init__()
        require(self, "embedding_weight", self.embedding_weight >= 0, "0 or more")
        require_one_of(self, "student_init", ("svd", "random"))
        require_one_of(self, "projection", ("per_layer", "shared"))

    @property
    def loss_weights(self) -> LossWeights:
        """The weights of the intermediate losses."""

        def by_layer(weights):
            return weights[0] if len(weights) == 1 else weights

        return LossWeights(self.embedding_weight, by_layer(self.hidden_weight), by_layer(self.attention_weight))

    def distiller_options(self) -> dict:
        """Returns what these settings are called in `TinyBertDistiller`."""
        return {
            "layer_map": self.layer_map,
            "loss_weights": self.loss_weights,
            "projection": self.projection,
            "match_position_bias": self.match_position_bias,
        }
