"""The settings of each `--stage`: one frozen dataclass a stage, one flag a field."""

import dataclasses

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.settings.shared import (
    CLASSIFIER,
    MODEL,
    Distillation,
    OnText,
    TaskData,
    Training,
    require,
    require_one_of,
    setting,
)

RUN = "folder of the run; the same command goes on with an interrupted one"
SHAPES = ", ".join(STUDENT_PRESETS)
EXPORT_FORMATS = ("litert", "saved_model", "onnx")
VARIANTS = ("float32", "float16", "int8", "int4")
VECTORS = "word vectors: the packaged glove_6b_50d, a text file as GloVe's, or a .npy beside a .txt of words"


@dataclasses.dataclass(frozen=True)
class GeneralConfig(Distillation, OnText):
    """Settings of `--stage=general`: general distillation on unlabelled text (paper, section 3.2)."""

    output_dir: str = setting("runs/general", RUN)
    teacher: str = setting("minilm_l6", f"plain BERT to imitate: {MODEL}")
    student: str = setting("tinybert_4l_312", f"shape to start from ({SHAPES}), or a model as for --teacher")
    dropout: float = setting(0.0, "the student's, while it learns")

    def __post_init__(self):
        super().__post_init__()
        require(self, "dropout", 0 <= self.dropout < 1, "a number from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class OnAugmented:
    """Settings of a stage that may learn from augmented examples."""

    augmented: str = setting("", "run of --stage=augment, to learn from; the original examples by default")
    original_share: float = setting(
        0.0, "share of originals among the examples of a pass over --augmented; 0 for the task's recipe"
    )

    def __post_init__(self):
        super().__post_init__()
        require(self, "original_share", 0 <= self.original_share < 1, "a number from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(OnAugmented, TaskData, Training):
    """Settings of `--stage=finetune`: a teacher learns a task; the best checkpoint on dev is kept."""

    output_dir: str = setting("runs/finetune", RUN)
    teacher: str = setting("minilm_l6", f"model to fine-tune: {MODEL}; or a shape ({SHAPES}), to train from scratch")
    max_steps: int = setting(0, "optimizer updates at most; 0 for as many as --epochs says")
    epochs: int = setting(3, "passes over the training examples")
    learning_rate: float = setting(5e-5, "at the peak of a linear warm-up and decay")
    dropout: float = setting(0.1, "while it learns")

    def __post_init__(self):
        super().__post_init__()
        require(self, "epochs", self.epochs >= 1 or self.max_steps >= 1, "1 or more, or --max_steps")
        require(self, "learning_rate", 0 < self.learning_rate < 1, "a number above 0 and below 1")
        require(self, "dropout", 0 <= self.dropout < 1, "a number from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class MaskedLMConfig(OnText):
    """Settings of `--stage=masked_lm`: a masked language model for augmentation, on unlabelled text."""

    output_dir: str = setting("runs/masked_lm", RUN)
    model: str = setting("minilm_l6", f"BERT to give a masked-LM head, or one that has it: {MODEL}")
    corpus: tuple[str, ...] = setting(("wiki_openings", "movie_reviews"), OnText.help_of("corpus"))
    max_steps: int = setting(400, OnText.help_of("max_steps"))
    learning_rate: float = setting(5e-4, OnText.help_of("learning_rate"))
    mask_probability: float = setting(0.15, "share of the tokens that are to be guessed")

    def __post_init__(self):
        super().__post_init__()
        require(self, "mask_probability", 0 < self.mask_probability < 1, "a number between 0 and 1")


@dataclasses.dataclass(frozen=True)
class AugmentConfig(TaskData):
    """Settings of `--stage=augment`: variants of the training texts (paper, section 3.3 and algorithm 1)."""

    output_dir: str = setting("runs/augment", RUN)
    masked_lm: str = setting("runs/masked_lm", "run of --stage=masked_lm, or any Hugging Face BertForMaskedLM")
    vectors: str = setting("glove_6b_50d", VECTORS)
    num_variants: int = setting(0, "variants of a text at most; 0 for the task's own (20 for most)")
    num_candidates: int = setting(15, "words to choose from at each place (the paper's K)")
    masked_share: float = setting(
        0.15, "of a text's tokens, for the masked LM to guess at a time; 0 for one word at a time, as the paper"
    )
    replace_probability: float = setting(0.4, "chance of a word to be replaced (the paper's p)")
    teacher: str = setting("", "fine-tuned teacher, to report how often variants turn its answer round; or none")
    drop_flips: bool = setting(False, "leave out variants that turn the teacher's answer round")
    flip_sample: int = setting(2000, "variants that the report looks at; all of them with --drop_flips")
    batch_tokens: int = setting(4096, "tokens that the masked LM reads at a time")
    seed: int = setting(42, "of every draw")

    def __post_init__(self):
        super().__post_init__()
        for name in ("num_candidates", "batch_tokens", "flip_sample"):
            require(self, name, getattr(self, name) >= 1, "1 or more")
        require(self, "num_variants", self.num_variants >= 0, "0 or more")
        require(self, "seed", self.seed >= 0, "0 or more")
        require(self, "masked_share", 0 <= self.masked_share <= 0.5, "a number from 0 to 0.5")
        require(self, "replace_probability", 0 < self.replace_probability <= 1, "a number above 0, up to 1")
        require(self, "drop_flips", not self.drop_flips or bool(self.teacher), "a --teacher to judge by")


@dataclasses.dataclass(frozen=True)
class TaskConfig(OnAugmented, TaskData, Distillation, Training):
    """Settings of `--stage=task`: distils a fine-tuned teacher into a student (paper, section 3.2)."""

    output_dir: str = setting("runs/task", RUN)
    teacher: str = setting("runs/finetune", f"fine-tuned {CLASSIFIER}")
    student: str = setting("runs/general", f"general student, or a shape to start from scratch ({SHAPES})")
    phase: str = setting(
        "",
        "two: intermediate, then prediction; one of the two alone; or joint, all losses at once; by default the task's "
        "recipe",
    )
    max_steps: int = setting(0, "updates of phase 1 or joint, and of phase 2 at most; 0 for the task's recipe")
    epochs: int = setting(0, "passes of phase 1, which matches layers, or joint; 0 for the task's recipe")
    learning_rate: float = setting(0.0, "of phase 1 or joint; 0 for the task's recipe")
    prediction_max_steps: int = setting(0, "updates of phase 2; 0 for the task's recipe")
    prediction_epochs: int = setting(0, "passes of phase 2, which matches logits; 0 for the task's recipe")
    prediction_learning_rate: float = setting(0.0, "of phase 2; 0 for the task's recipe")
    prediction_weight: float = setting(1.0, "weight of the prediction loss in --phase=joint")
    temperature: float = setting(1.0, "divides both models' logits")
    head_init: str = setting("teacher", "student's pooler and head before phase 2: from the teacher's, or its own")
    quantize: str = setting("none", "learn with the weights that an exported file will have: none, int8 or int4")
    sparsity: float = setting(0.0, "share of each matrix's weights to prune, by magnitude, while it learns")
    dropout: float = setting(0.0, "the student's, while it learns")

    def __post_init__(self):
        super().__post_init__()
        if self.phase:
            require_one_of(self, "phase", ("two", "intermediate", "prediction", "joint"))
        require_one_of(self, "head_init", ("teacher", "own"))
        require_one_of(self, "quantize", ("none", "int8", "int4"))
        require(self, "sparsity", 0 <= self.sparsity < 1, "a number from 0 to below 1")
        require(self, "dropout", 0 <= self.dropout < 1, "a number from 0 to below 1")
        require(self, "temperature", self.temperature > 0, "a number above 0")
        for name in ("learning_rate", "prediction_learning_rate", "prediction_weight"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        for name in ("prediction_epochs", "prediction_max_steps"):
            require(self, name, getattr(self, name) >= 0, "0 or more")


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(TaskData):
    """Settings of `--stage=evaluate`: metrics with intervals, confusion matrix, predictions, GLUE files."""

    output_dir: str = setting("runs/evaluate", RUN)
    model: str = setting("runs/task", CLASSIFIER)
    teacher: str = setting("", "teacher to compare it with; or none")
    split: str = setting("", "examples to look at; by default test, or dev where the test labels are secret")
    batch_size: int = setting(64, "texts at a time")
    seed: int = setting(42, "of the bootstrap")

    def __post_init__(self):
        super().__post_init__()
        require(self, "batch_size", self.batch_size >= 1, "1 or more")
        require(self, "seed", self.seed >= 0, "0 or more")


@dataclasses.dataclass(frozen=True)
class PredictConfig:
    """Settings of `--stage=predict`: texts in, one JSON object a line out."""

    model: str = setting("runs/task", CLASSIFIER)
    text: str = setting("", "one text; without it and --input_file, standard input is read, one text a line")
    text_pair: str = setting("", "its second text")
    input_file: str = setting("", "texts as .txt, one a line, or as .csv, .tsv, .jsonl with --text_column")
    text_column: str = setting("text", "name of the column that holds the text")
    text_pair_column: str = setting("", "name of the column that holds a second text, if there is one")
    batch_size: int = setting(64, "texts at a time")
    sequence_length: int = setting(0, "tokens in a text; 0 for as many as the model was saved with")

    def __post_init__(self):
        require(self, "batch_size", self.batch_size >= 1, "1 or more")
        require(self, "sequence_length", self.sequence_length == 0 or self.sequence_length >= 8, "8 or more")


@dataclasses.dataclass(frozen=True)
class ExportConfig(TaskData):
    """Settings of `--stage=export`: a student as LiteRT files for phones, SavedModel and ONNX for servers."""

    output_dir: str = setting("runs/export", "folder of the files")
    student: str = setting("runs/task", CLASSIFIER)
    export_formats: tuple[str, ...] = setting(("litert",), "comma-separated: litert, saved_model, onnx")
    variants: tuple[str, ...] = setting(
        ("int8",), "of LiteRT files, comma-separated: float32, float16, int8, int4; the first is student.tflite"
    )
    fixed_length: bool = setting(False, "take exactly --sequence_length tokens, as CompiledModel and NPUs want")
    task: str = setting("", "to measure the files on; by default what the student's run was trained on")
    sequence_length: int = setting(0, "most tokens in a text; 0 for as many as the student was saved with")
    android_assets: str = setting("", "the Android demo's assets folder, to put the model there too; or none")

    def __post_init__(self):
        super().__post_init__()
        require(self, "android_assets", not self.android_assets or "litert" in self.export_formats, "litert among them")
        for name, choices in (("export_formats", EXPORT_FORMATS), ("variants", VARIANTS)):
            values = getattr(self, name)
            fits = bool(values) and set(values) <= set(choices) and len(set(values)) == len(values)
            require(self, name, fits, f"some of {', '.join(choices)}, each once")


@dataclasses.dataclass(frozen=True)
class AllConfig(TaskData):
    """Settings of `--stage=all`: the whole recipe for a task, each step skipped when its output is there."""

    output_dir: str = setting("runs/all", "folder of the runs; the same command goes on with what is missing")
    teacher: str = setting("minilm_l6", f"plain BERT to fine-tune and distil, or a classifier: {MODEL}")
    student: str = setting("tinybert_4l_312", f"shape ({SHAPES}), or a general student")
    corpus: tuple[str, ...] = setting(("wiki_openings", "movie_reviews"), OnText.help_of("corpus"))
    corpus_field: str = setting("text", OnText.help_of("corpus_field"))
    general_steps: int = setting(1200, "updates of general distillation; 0 leaves it out")
    augment: bool = setting(True, "augment the training texts")
    masked_lm: str = setting("", "BertForMaskedLM to augment with; trained on the corpus by default")
    vectors: str = setting("glove_6b_50d", VECTORS)
    num_variants: int = setting(0, AugmentConfig.help_of("num_variants"))
    max_steps: int = setting(0, "caps every trained step; 0 for their own lengths")
    batch_size: int = setting(32, "sequences in an update")
    seed: int = setting(42, "of every stage")
    dtype_policy: str = setting("float32", "float32, mixed_bfloat16 or mixed_float16")
    deterministic: bool = setting(True, "same seed, same weights, bit for bit")

    def __post_init__(self):
        super().__post_init__()
        for name in ("general_steps", "max_steps", "num_variants", "seed"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require(self, "batch_size", self.batch_size >= 1, "1 or more")


STAGES = {
    "general": GeneralConfig,
    "finetune": FinetuneConfig,
    "masked_lm": MaskedLMConfig,
    "augment": AugmentConfig,
    "task": TaskConfig,
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "all": AllConfig,
}
