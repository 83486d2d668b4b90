"""Settings that several stages share, as frozen dataclasses; each field is a flag of its name."""

import dataclasses

from tinybert_tf.configs import LossWeights
from tinybert_tf.data import glue_files
from tinybert_tf.data.squad import TASKS as QUESTION_TASKS
from tinybert_tf.data.tasks import TASK_NAMES, Files
from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import (
    DATA,
    DISTILLATION,
    RUN,
    TRAINING,
    Settings,
    require,
    setting,
    setting_like,
)
from tinybert_tf.settings.recipes import recipe_default

ANY_MODEL = (
    "a run directory, a model folder, hf://USER/MODEL, a keras-hub preset (bert_base_en_uncased), "
    "or the packaged minilm_l6 or mpnet_base"
)
CLASSIFIER = (
    "a run directory, a model folder, hf://USER/MODEL, or a keras-hub preset that has a head "
    "(bert_tiny_en_uncased_sst2)"
)
CORPUS = (
    "Unlabelled text, comma-separated: globs of text files (an empty line ends a document) or of .csv, .tsv, .json, "
    ".jsonl or .parquet files (a row is a document), plain or .gz; tfds:NAME; or the packaged wiki_openings and "
    "movie_reviews."
)


@dataclasses.dataclass(frozen=True)
class TaskData(Settings):
    """Settings of every stage that reads labelled data; they include those of `Files`."""

    task: str = setting(
        "",
        "Task, unless you give files; for files of questions, squad or squad_v2.",
        DATA,
        default_means="movie_reviews, if no file is given",
        choices=(*TASK_NAMES, *QUESTION_TASKS),
    )
    train_file: str = setting(
        "",
        "Your own examples: .csv, .tsv or .jsonl in UTF-8, with a header; of questions SQuAD's .json, or .jsonl.",
        DATA,
        place=True,
    )
    dev_file: str = setting(
        "", "Examples to choose checkpoints by.", DATA, default_means="a seeded tenth of --train_file", place=True
    )
    test_file: str = setting("", "Examples to report results on.", DATA, place=True)
    glue_dir: str = setting(
        "",
        "Folder that GLUE's download script makes, with a folder per task; for GLUE's tasks.",
        DATA,
        default_means="the environment variable TINYBERT_GLUE, or TFDS",
        place=True,
    )
    text_column: str = setting("text", "Name of the column that holds the text.", DATA)
    text_pair_column: str = setting("", "Name of the column that holds a second text, if there is one.", DATA)
    label_column: str = setting("label", "Name of the column that holds the class, or the number to predict.", DATA)
    label_separator: str = setting(
        "", "What separates several labels in one field, such as '|'. JSON lists need none.", DATA, default_means="none"
    )
    regression: bool = setting(False, "Whether the labels are numbers to predict.", DATA)
    bad_lines: str = setting(
        "skip",
        "What to do with questions whose answers are not where they are said to be.",
        DATA,
        choices={"skip": "mend them, or leave them out, and count them", "refuse": "stop at the first one"},
    )
    sequence_length: int = setting(
        0, "Tokens in a text or pair, at most.", DATA, default_means=recipe_default("sequence_length"), at_least=8
    )

    def __post_init__(self):
        super().__post_init__()
        of_questions = self.task in QUESTION_TASKS
        expected = "one of the two: --task, or --train_file and the like"
        require(self, "task", of_questions or not (self.task and self.files), expected)
        for name, default in dataclasses.asdict(Files()).items():
            if of_questions and not name.endswith("_file"):
                require(self, name, getattr(self, name) == default, f"none: {self.task} has questions and contexts")
        glue_files.check_task(self.glue_dir, self.task)

    @property
    def files(self) -> Files:
        """The user's own files; false if none is given."""
        return Files(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Files)})


@dataclasses.dataclass(frozen=True)
class TeacherLabels(Settings):
    """The names of a teacher's classes, for stages that compare them with the task's."""

    teacher_labels: tuple[str, ...] = setting(
        (),
        "Names of the teacher's classes in the order of its logits, if it has others than the task.",
        DATA,
        default_means="its own; for LABEL_0, LABEL_1 and so on the task's",
    )


@dataclasses.dataclass(frozen=True)
class TeacherPredictions(TeacherLabels):
    """Settings of stages whose student may learn from answers in files."""

    teacher_predictions: tuple[str, ...] = setting(
        (),
        "Answers of any teacher to the texts: JSON lines, as --stage=predict writes them; the mean of several files.",
        DATA,
        default_means="none: the --teacher answers",
        place=True,
    )
    label_weight: float = setting(
        0.0,
        "Share of a text's own label in the answer that is learned, where --teacher_predictions has one too.",
        DISTILLATION,
        at_least=0,
        at_most=1,
    )

    def __post_init__(self):
        super().__post_init__()
        expected = "0, or --teacher_predictions that it is weighed against"
        require(self, "label_weight", bool(self.teacher_predictions) or not self.label_weight, expected)


@dataclasses.dataclass(frozen=True)
class OnDevices(Settings):
    """Settings of every stage that may compute on several devices."""

    devices: str = setting("1", "Number of GPUs that share each batch, or all of them.", RUN)

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
    seed: int = setting(42, "Seed of weights, order and dropout.", RUN, at_least=0)
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
class Distillation(Settings):
    """Settings of stages that match layers."""

    layer_map: str = setting(
        "uniform",
        "Teacher layer for each student layer: uniform, top, bottom, or a list such as 2,3,5,6.",
        DISTILLATION,
    )
    embedding_weight: float = setting(1.0, "Weight of the embedding loss.", DISTILLATION, at_least=0)
    hidden_weight: tuple[float, ...] = setting(
        (1.0,), "Weight of the hidden loss: one number, or one per student layer.", DISTILLATION
    )
    attention_weight: tuple[float, ...] = setting(
        (1.0,), "Weight of the attention loss: one number, or one per student layer.", DISTILLATION
    )
    relation_weight: tuple[float, ...] = setting(
        (0.0,),
        "Weight of MiniLMv2's relation loss, which needs no equal heads: one number, or one per student layer.",
        DISTILLATION,
    )
    relation_heads: int = setting(
        12, "Heads of the relation loss: a number that divides both models' widths.", DISTILLATION, at_least=1
    )
    projection: str = setting(
        "per_layer",
        "Matrices W that project from the student's width to the teacher's.",
        DISTILLATION,
        choices={"per_layer": "one each", "shared": "one for the embeddings and all layers"},
    )
    match_position_bias: bool = setting(
        False, "Whether an MPNet's attention scores are matched with its relative position bias added.", DISTILLATION
    )
    student_init: str = setting(
        "teacher",
        "How a new student starts.",
        DISTILLATION,
        choices={
            "teacher": "every layer cut out of the teacher by least squares",
            "svd": "embeddings from the teacher's, random layers",
            "random": "from the seed",
        },
    )
    init_tokens: int = setting(
        40_000, "Tokens of text that --student_init=teacher reads, at most.", DISTILLATION, at_least=1
    )

    @property
    def loss_weights(self) -> LossWeights:
        """The weights of the intermediate losses."""

        def by_layer(weights):
            return weights[0] if len(weights) == 1 else weights

        return LossWeights(
            embedding=self.embedding_weight,
            hidden=by_layer(self.hidden_weight),
            attention=by_layer(self.attention_weight),
            relation=by_layer(self.relation_weight),
        )

    def distiller_options(self) -> dict:
        """Returns these settings as arguments of `TinyBertDistiller`."""
        return {
            "layer_map": self.layer_map,
            "loss_weights": self.loss_weights,
            "projection": self.projection,
            "match_position_bias": self.match_position_bias,
            "relation_heads": self.relation_heads,
        }


@dataclasses.dataclass(frozen=True)
class CheckpointChoice(Settings):
    """How stages that train on a task choose the best checkpoint."""

    metric: str = setting(
        "",
        "Metric on dev by which the best checkpoint is chosen.",
        TRAINING,
        default_means="the task's own; for your files accuracy, micro F1 of several labels, or the mean correlation",
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


@dataclasses.dataclass(frozen=True)
class OnUnlabelled(Settings):
    """Settings of stages whose student may learn from texts without labels."""

    unlabeled_file: tuple[str, ...] = setting(
        (),
        "Texts of the task without labels, which the teacher answers: a .txt with one per line, .csv, .tsv or .jsonl.",
        DATA,
        default_means="none",
        place=True,
    )


@dataclasses.dataclass(frozen=True)
class OnAugmented(Settings):
    """Settings of stages that may learn from augmented examples."""

    augmented: str = setting(
        "",
        "Run of --stage=augment whose examples are learned from.",
        DATA,
        default_means="the original examples only",
        place=True,
    )
    original_share: float = setting(
        0.0,
        "Share of originals among the examples of a pass over --augmented.",
        DATA,
        default_means=recipe_default("original_share", zero="their share of the file"),
        at_least=0,
        below=1,
    )
