"""Settings as frozen dataclasses: the encoder's shape and its presets, loss weights, one config a stage."""

import dataclasses
import math

from tinybert_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The shape of a BERT encoder, in keras-hub's names.

    `activation` is a Hugging Face `hidden_act`; students use "gelu_new", the tanh form, because keras-hub
    computes that one whatever a configuration says.
    """

    num_layers: int
    hidden_dim: int
    num_heads: int = 12
    intermediate_dim: int = 3072
    vocabulary_size: int = 30522
    max_sequence_length: int = 512
    num_segments: int = 2
    activation: str = "gelu_new"
    layer_norm_epsilon: float = 1e-12
    dropout: float = 0.1


STUDENT_PRESETS = {
    "tinybert_4l_312": EncoderConfig(num_layers=4, hidden_dim=312, intermediate_dim=1200),
    "tinybert_4l_768": EncoderConfig(num_layers=4, hidden_dim=768, intermediate_dim=3072),
    "tinybert_6l_312": EncoderConfig(num_layers=6, hidden_dim=312, intermediate_dim=1200),
    "tinybert_6l_768": EncoderConfig(num_layers=6, hidden_dim=768, intermediate_dim=3072),
    # 16 heads, for BERT-large teachers: heads are compared one to one.
    "tinybert_4l_320_16h": EncoderConfig(num_layers=4, hidden_dim=320, num_heads=16, intermediate_dim=1280),
}


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights λ of the four TinyBERT losses (paper, equation 11).

    `hidden` and `attention` are one number, or one for each student layer (bottom first). A loss of weight 0 is
    not computed. The default is intermediate distillation: everything but the prediction.
    """

    embedding: float = 1.0
    hidden: float | tuple[float, ...] = 1.0
    attention: float | tuple[float, ...] = 1.0
    prediction: float = 0.0

    @classmethod
    def prediction_only(cls) -> "LossWeights":
        """Phase 2 of task distillation: only the teacher's logits are matched."""
        return cls(embedding=0.0, hidden=0.0, attention=0.0, prediction=1.0)

    @classmethod
    def joint(cls) -> "LossWeights":
        """All four losses in one step."""
        return cls(prediction=1.0)


def setting(default, help: str):
    """A field of a stage's config: its default and what `--help` says of the flag of that name."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclasses.dataclass(frozen=True)
class GeneralConfig:
    """Settings of `--stage=general`: general distillation on unlabelled text (paper, section 3.2)."""

    output_dir: str = setting("runs/general", "folder of the run; the same command goes on with an interrupted one")
    teacher: str = setting(
        "minilm_l6",
        "plain BERT to imitate: keras-hub preset (bert_base_en_uncased), hf://USER/MODEL, model folder, run "
        "directory, or the packaged minilm_l6",
    )
    student: str = setting(
        "tinybert_4l_312", f"shape to start from ({', '.join(STUDENT_PRESETS)}), or a model as for --teacher"
    )
    corpus: tuple[str, ...] = setting(
        ("wiki_openings",),
        "comma-separated: globs of text files (plain or .gz, an empty line ends a document) or of .jsonl files, "
        "tfds:NAME, or the packaged wiki_openings",
    )
    corpus_field: str = setting("text", "the text's name in JSONL objects and TFDS examples")
    max_steps: int = setting(300, "optimizer updates; 0 for as many as --epochs says")
    epochs: int = setting(0, "stop after so many passes over the corpus, should that come first; 0 for no limit")
    batch_size: int = setting(32, "sequences in an update")
    sequence_length: int = setting(64, "tokens in a sequence")
    learning_rate: float = setting(3e-3, "at the peak of a linear warm-up and decay")
    warmup_proportion: float = setting(0.1, "share of the updates that warms up")
    weight_decay: float = setting(0.01, "AdamW's, not on biases and layer norms")
    gradient_accumulation_steps: int = setting(1, "parts of a batch that are computed one after another")
    layer_map: str = setting("uniform", "teacher layer for each student layer: uniform, top, bottom, or as 2,3,5,6")
    embedding_weight: float = setting(1.0, "weight of the embedding loss")
    hidden_weight: tuple[float, ...] = setting((1.0,), "weight of the hidden loss: one, or one a student layer")
    attention_weight: tuple[float, ...] = setting((1.0,), "weight of the attention loss: one, or one a student layer")
    projection: str = setting("per_layer", "W from student to teacher width: per_layer, or shared")
    student_init: str = setting("svd", "embeddings of a new student: svd of the teacher's, or random")
    dropout: float = setting(0.0, "the student's, while it learns")
    save_steps: int = setting(100, "updates between checkpoints")
    log_steps: int = setting(10, "updates between lines of metrics.jsonl")
    eval_steps: int = setting(100, "updates between evaluations on the held-out slice")
    eval_sequences: int = setting(256, "held-out sequences")
    seed: int = setting(42, "of weights, order and dropout")
    dtype_policy: str = setting("float32", "float32, mixed_bfloat16 or mixed_float16")
    jit_compile: bool = setting(False, "compile the whole step with XLA; needs --deterministic=false")
    deterministic: bool = setting(True, "same seed, same weights, bit for bit")

    def __post_init__(self):
        for name in ("batch_size", "gradient_accumulation_steps", "save_steps", "log_steps", "eval_steps"):
            _require(self, name, getattr(self, name) >= 1, "1 or more")
        for name in ("max_steps", "epochs", "eval_sequences", "seed", "weight_decay", "embedding_weight"):
            _require(self, name, getattr(self, name) >= 0, "0 or more")
        _require(self, "sequence_length", self.sequence_length >= 8, "8 or more")
        _require(self, "learning_rate", 0 < self.learning_rate < math.inf, "a number above 0")
        _require(self, "warmup_proportion", 0 <= self.warmup_proportion <= 1, "a number from 0 to 1")
        _require(self, "dropout", 0 <= self.dropout < 1, "a number from 0 to below 1")
        divides = self.batch_size % self.gradient_accumulation_steps == 0
        _require(self, "gradient_accumulation_steps", divides, f"a divisor of batch_size={self.batch_size}")
        if not self.max_steps and not self.epochs:
            raise InputError("max_steps", "0, with --epochs=0", "one of the two above 0")
        if self.jit_compile and self.deterministic:
            raise InputError(
                "jit_compile", "true, with --deterministic=true", "--deterministic=false: Keras has no both"
            )
        if not self.corpus:
            raise InputError("corpus", "nothing", "at least one source")
        _require_one_of(self, "dtype_policy", ("float32", "mixed_bfloat16", "mixed_float16"))
        _require_one_of(self, "student_init", ("svd", "random"))
        _require_one_of(self, "projection", ("per_layer", "shared"))


def _require(config, name: str, fits: bool, expected: str) -> None:
    if not fits:
        raise InputError(name, getattr(config, name), expected)


def _require_one_of(config, name: str, choices: tuple[str, ...]) -> None:
    _require(config, name, getattr(config, name) in choices, f"one of {', '.join(choices)}")


STAGES = {"general": GeneralConfig}
