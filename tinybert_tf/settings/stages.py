"""The settings of each `--stage`: one frozen dataclass per stage, one flag per field."""

import dataclasses
from typing import ClassVar

from tinybert_tf.configs import NUMBER_FORMATS, QUANTIZED_FORMATS, STUDENT_PRESETS
from tinybert_tf.settings.fields import (
    AUGMENTATION,
    DATA,
    DISTILLATION,
    EXPORT,
    MODEL,
    RUN,
    TRAINING,
    Settings,
    require,
    setting,
    setting_like,
)
from tinybert_tf.settings.recipes import recipe_default
from tinybert_tf.settings.shared import (
    ANY_MODEL,
    CLASSIFIER,
    CheckpointChoice,
    Distillation,
    OnAugmented,
    OnDevices,
    OnText,
    OnUnlabelled,
    TaskData,
    TeacherLabels,
    TeacherPredictions,
    Training,
)

FOLDER = "Folder of the run; repeat the command to resume an interrupted one."
SHAPES = ", ".join(STUDENT_PRESETS)
# One line per module of `tinybert_tf.exporters`: its name, and what it makes.
EXPORT_FORMATS = {
    "litert": "LiteRT for phones",
    "saved_model": "SavedModel for TF Serving",
    "onnx": "ONNX as Hugging Face's hub has it",
    "web": "page that runs the first variant in a browser",
}


@dataclasses.dataclass(frozen=True)
class GeneralConfig(Distillation, OnText):
    """Settings of `--stage=general`: distils a BERT into a general student on unlabelled text (paper, section 3.2)."""

    teacher: str = setting("minilm_l6", f"BERT whose layers the student imitates: {ANY_MODEL}.", MODEL, place=True)
    student: str = setting(
        "tinybert_4l_312",
        f"Shape to start from ({SHAPES}), or a model to continue with, named as for --teacher.",
        MODEL,
        place=True,
    )
    dropout: float = setting(0.0, "Dropout of the student in training.", TRAINING, at_least=0, below=1)
    output_dir: str = setting("runs/general", FOLDER, RUN)


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(OnAugmented, CheckpointChoice, TaskData, Training):
    """Settings of `--stage=finetune`: fine-tunes a BERT on labels, which makes the teacher."""

    RENAMED: ClassVar[dict[str, str]] = {"teacher": "model"}

    model: str = setting(
        "minilm_l6", f"Model to fine-tune: {ANY_MODEL}; or a shape to train from scratch ({SHAPES}).", MODEL, place=True
    )
    dropout: float = setting(0.1, "Dropout in training.", TRAINING, at_least=0, below=1)
    class_weights: tuple[str, ...] = setting(
        (),
        "Weights of classes in the loss: balanced, for the same weight of every class in total, or some such as "
        "complaint=5,praise=0.5.",
        TRAINING,
        default_means="none",
    )
    output_dir: str = setting("runs/finetune", FOLDER, RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "epochs", self.epochs >= 1 or self.max_steps >= 1, "1 or more, or --max_steps")


@dataclasses.dataclass(frozen=True)
class MaskedLMConfig(OnText):
    """Settings of `--stage=masked_lm`: trains a masked language model on unlabelled text, for augmentation."""

    model: str = setting(
        "minilm_l6", f"BERT that gets a masked-LM head, or one that has a head already: {ANY_MODEL}.", MODEL, place=True
    )
    corpus: tuple[str, ...] = setting_like(OnText, "corpus", default=("wiki_openings", "movie_reviews"))
    mask_probability: float = setting(0.15, "Share of the tokens to be guessed.", TRAINING, above=0, below=1)
    max_steps: int = setting_like(OnText, "max_steps", default=400)
    learning_rate: float = setting_like(OnText, "learning_rate", default=5e-4)
    output_dir: str = setting("runs/masked_lm", FOLDER, RUN)


@dataclasses.dataclass(frozen=True)
class VocabularyConfig(Settings):
    """Settings of `--stage=vocabulary`: leaves out WordPieces that a corpus does not use, or uses seldom."""

    model: str = setting("minilm_l6", f"Model that gets smaller, with its head: {ANY_MODEL}.", MODEL, place=True)
    corpus: tuple[str, ...] = setting_like(
        OnText, "corpus", default=(), default_means="the training texts of --model, which must be a run of a task"
    )
    corpus_field: str = setting_like(OnText, "corpus_field")
    bad_lines: str = setting_like(OnText, "bad_lines")
    without: tuple[str, ...] = setting_like(OnText, "without")
    min_count: int = setting(1, "Fewest occurrences of a WordPiece that stays.", DATA, at_least=1)
    vocabulary_size: int = setting(
        0,
        "WordPieces that stay: special tokens, all single characters, then the most frequent ones.",
        DATA,
        default_means="those that occur",
        at_least=1,
    )
    output_dir: str = setting("runs/vocabulary", FOLDER, RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "without", bool(self.corpus) or not self.without, "a --corpus that they stay out of")
        require(self, "min_count", self.min_count == 1 or not self.vocabulary_size, "1 with --vocabulary_size")


@dataclasses.dataclass(frozen=True)
class AugmentConfig(TeacherLabels, TaskData, OnDevices):
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
        "", f"Fine-tuned teacher whose label flips are reported: {CLASSIFIER}.", MODEL, default_means="none", place=True
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
        require(self, "drop_flips", not self.drop_flips or bool(self.teacher), "a --teacher to judge by")


@dataclasses.dataclass(frozen=True)
class TaskConfig(OnUnlabelled, OnAugmented, TeacherPredictions, CheckpointChoice, TaskData, Distillation, Training):
    """Settings of `--stage=task`: distils a fine-tuned teacher, or answers in files, into a student (section 3.2)."""

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
        "not where they are said to be.",
    )
    student: str = setting(
        "runs/general",
        f"General student, or another model, or a shape to start from scratch ({SHAPES}).",
        MODEL,
        place=True,
    )
    phase: str = setting(
        "",
        "What is matched. A student that starts from a shape has two as its default.",
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
    temperature: float = setting(1.0, "Number that divides the logits of both models.", DISTILLATION, above=0)
    prediction_weight: float = setting(1.0, "Weight of the prediction loss in --phase=joint.", DISTILLATION, at_least=0)
    head_init: str = setting(
        "teacher",
        "Where the student's pooler and head start in phase 2.",
        DISTILLATION,
        choices={"teacher": "from the teacher's", "own": "as they are"},
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
        learns = self.phase != "intermediate" or not self.teacher_predictions
        require(self, "phase", learns, "a phase that matches the answers of --teacher_predictions")
        without_layers = self.phase in ("", "prediction")
        require(self, "phase", bool(self.teacher) or without_layers, "prediction, or a --teacher that has layers")


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(TeacherLabels, TaskData, OnDevices):
    """Settings of `--stage=evaluate`: measures a model: metrics with intervals, a report, GLUE's or SQuAD's files."""

    split: str = setting(
        "", "Examples to evaluate on.", DATA, default_means="test, or dev where the test labels are secret"
    )
    model: str = setting("runs/task", f"Classifier or question answerer to evaluate: {CLASSIFIER}.", MODEL, place=True)
    teacher: str = setting("", "Teacher to compare the model with, named as for --model.", MODEL, place=True)
    batch_size: int = setting(64, "Texts per batch.", RUN, at_least=1)
    threshold: float = setting(
        0.5, "Probability from which on a text has a label, where it may have several.", MODEL, above=0, below=1
    )
    null_threshold: float | None = setting(
        None,
        "Odds above which a question has no answer in its context, where it may have none.",
        MODEL,
        default_means="the model's",
    )
    litert: bool = setting(True, "Measure LiteRT files for the report too: their answers, sizes and times.", RUN)
    seed: int = setting(42, "Seed of the bootstrap.", RUN, at_least=0)
    output_dir: str = setting("runs/evaluate", FOLDER, RUN)


@dataclasses.dataclass(frozen=True)
class PredictConfig(OnDevices):
    """Settings of `--stage=predict`: reads texts or questions, writes one JSON object with the answer per line."""

    text: str | None = setting(None, "A single text.", DATA, default_means="none")
    text_pair: str = setting("", "Second text of --text.", DATA)
    question: str = setting("", "A single question, for a model that answers questions.", DATA)
    context: str = setting("", "Text in which the answer to --question is looked for.", DATA)
    input_file: str = setting(
        "",
        "Texts: a .txt with one per line, or a .csv, .tsv or .jsonl with columns; questions: SQuAD's .json, or .jsonl.",
        DATA,
        default_means="standard input, one text, or JSON object with question and context, per line",
    )
    text_column: str = setting_like(TaskData, "text_column")
    text_pair_column: str = setting_like(TaskData, "text_pair_column")
    sequence_length: int = setting_like(
        TaskData, "sequence_length", default_means="as many as the model was saved with"
    )
    model: str = setting("runs/task", f"Classifier or question answerer: {CLASSIFIER}.", MODEL, place=True)
    threshold: float = setting_like(EvaluateConfig, "threshold")
    null_threshold: float | None = setting_like(EvaluateConfig, "null_threshold")
    batch_size: int = setting_like(EvaluateConfig, "batch_size")

    def __post_init__(self):
        super().__post_init__()
        require(self, "input_file", self.text is None or not self.input_file, "one of the two: --text or --input_file")
        require(self, "text_pair", self.text is not None or not self.text_pair, "a --text that it belongs to")
        require(
            self, "context", bool(self.context.strip()) == bool(self.question.strip()), "both --question and --context"
        )
        require(
            self, "input_file", not (self.question and self.input_file), "one of the two: --question or --input_file"
        )


@dataclasses.dataclass(frozen=True)
class ExportConfig(TaskData):
    """Settings of `--stage=export`: writes a model for phones (LiteRT), servers (SavedModel, ONNX) and browsers."""

    RENAMED: ClassVar[dict[str, str]] = {"student": "model"}

    task: str = setting_like(
        TaskData,
        "task",
        help="Task to measure the files on, unless you give files of examples.",
        default_means="what the run of --model was trained on",
    )
    sequence_length: int = setting_like(
        TaskData, "sequence_length", default_means="as many as the model was saved with"
    )
    model: str = setting("runs/task", f"Classifier or question answerer to export: {CLASSIFIER}.", MODEL, place=True)
    null_threshold: float | None = setting_like(EvaluateConfig, "null_threshold")
    export_formats: tuple[str, ...] = setting(("litert",), "Formats, comma-separated.", EXPORT, choices=EXPORT_FORMATS)
    variants: tuple[str, ...] = setting(
        ("int8",),
        "Number formats of LiteRT files, comma-separated; the first becomes student.tflite.",
        EXPORT,
        choices=tuple(NUMBER_FORMATS),
    )
    fixed_length: bool = setting(
        False, "Whether files take exactly --sequence_length tokens, as CompiledModel and NPUs need.", EXPORT
    )
    android_assets: str = setting("", "Assets folder of the Android demo, to which the model is copied.", EXPORT)
    push_to_hub: str = setting(
        "",
        "Repository on the Hugging Face hub, USER/NAME, to upload the model, its card, LiteRT and ONNX files to.",
        EXPORT,
    )
    hub_private: bool = setting(False, "Whether a repository that is made there is private.", EXPORT)
    hub_licence: str = setting("", "Licence of the model there, such as mit or apache-2.0.", EXPORT)
    output_dir: str = setting("runs/export", "Folder of the files.", RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "android_assets", not self.android_assets or "litert" in self.export_formats, "litert among them")


@dataclasses.dataclass(frozen=True)
class AllConfig(OnUnlabelled, TeacherPredictions, CheckpointChoice, TaskData, OnDevices):
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
        "tinybert_4l_312", f"Shape to start from ({SHAPES}), or a general student.", MODEL, place=True
    )
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
        "Steps of general distillation before the task. Without it the student is cut out of the fine-tuned teacher.",
        TRAINING,
        default_means="none",
        at_least=1,
    )
    max_steps: int = setting(
        0, "Steps of every stage that trains, at most.", TRAINING, default_means="no limit", at_least=1
    )
    batch_size: int = setting_like(Training, "batch_size")
    class_weights: tuple[str, ...] = setting_like(FinetuneConfig, "class_weights")
    litert: bool = setting_like(EvaluateConfig, "litert")
    seed: int = setting(42, "Seed of every stage.", RUN, at_least=0)
    dtype_policy: str = setting_like(Training, "dtype_policy")
    deterministic: bool = setting_like(Training, "deterministic")
    output_dir: str = setting("runs/all", "Folder of the runs; repeat the command to resume.", RUN)


STAGES = {
    "all": AllConfig,
    "general": GeneralConfig,
    "finetune": FinetuneConfig,
    "masked_lm": MaskedLMConfig,
    "augment": AugmentConfig,
    "task": TaskConfig,
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "vocabulary": VocabularyConfig,
}
