"""The encoder's inputs, its shape and presets, the weights of the losses, and the number formats of files."""

import dataclasses

# The tensors that every BERT takes, each `[batch, length]`, in the order of files and signatures.
INPUTS = ("token_ids", "segment_ids", "padding_mask")
# Further inputs of an encoder that reads mixtures of texts; see `distillation.mixup`.
MIXED_WITH, KEPT_SHARE = "mixed_with", "kept_share"


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The shape of a BERT encoder, in keras-hub's names.

    `family` says how it is stored (`presets/families/`), and with it what is fixed: an "mpnet" has relative positions
    and no segments; a "distilbert" no segments, and "relu" behind the first layer of its head (`pooler_activation`); an
    "electra" "gelu" there, and maybe tables of another width, `embedding_dim` (0 for `hidden_dim`).
    `activation` is a Hugging Face `hidden_act`. Students use "gelu_new", the tanh form, because keras-hub always
    computes that one, whatever a configuration says. Attention probabilities have the rate `dropout`, if
    `attention_dropout` is None.
    """

    num_layers: int
    hidden_dim: int
    num_heads: int = 12
    intermediate_dim: int = 3072
    vocabulary_size: int = 30522
    max_sequence_length: int = 512
    num_segments: int = 2
    relative_position_buckets: int = 0
    activation: str = "gelu_new"
    layer_norm_epsilon: float = 1e-12
    dropout: float = 0.1
    family: str = "bert"
    pooler_activation: str = "tanh"
    embedding_dim: int = 0
    attention_dropout: float | None = None

    @property
    def attention_rate(self) -> float:
        """The dropout rate of attention probabilities."""
        return self.dropout if self.attention_dropout is None else self.attention_dropout


STUDENT_PRESETS = {
    "tinybert_2l_312": EncoderConfig(num_layers=2, hidden_dim=312, intermediate_dim=1200),
    "tinybert_4l_312": EncoderConfig(num_layers=4, hidden_dim=312, intermediate_dim=1200),
    "tinybert_4l_384": EncoderConfig(num_layers=4, hidden_dim=384, intermediate_dim=1536),
    "tinybert_4l_768": EncoderConfig(num_layers=4, hidden_dim=768, intermediate_dim=3072),
    "tinybert_6l_312": EncoderConfig(num_layers=6, hidden_dim=312, intermediate_dim=1200),
    "tinybert_6l_768": EncoderConfig(num_layers=6, hidden_dim=768, intermediate_dim=3072),
    # Fewer heads than MiniLM's 12, from which relations distil them (docs/recipe.md).
    "tinybert_4l_256_8h": EncoderConfig(num_layers=4, hidden_dim=256, num_heads=8, intermediate_dim=1024),
    "tinybert_4l_312_4h": EncoderConfig(num_layers=4, hidden_dim=312, num_heads=4, intermediate_dim=1200),
    # 16 heads, for BERT-large teachers: heads are compared one to one.
    "tinybert_4l_320_16h": EncoderConfig(num_layers=4, hidden_dim=320, num_heads=16, intermediate_dim=1280),
}


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights λ of TinyBERT's four losses (paper, equation 11), and of MiniLMv2's relation loss.

    `hidden`, `attention` and `relation` are one number, or one per student layer (bottom first). A loss of weight 0 is
    not computed. The default is intermediate distillation: TinyBERT's losses without the prediction.
    """

    embedding: float = 1.0
    hidden: float | tuple[float, ...] = 1.0
    attention: float | tuple[float, ...] = 1.0
    prediction: float = 0.0
    relation: float | tuple[float, ...] = 0.0

    @classmethod
    def prediction_only(cls) -> "LossWeights":
        """Returns the weights of phase 2 of task distillation, which matches only the teacher's logits."""
        return cls(embedding=0.0, hidden=0.0, attention=0.0, prediction=1.0)

    @classmethod
    def joint(cls) -> "LossWeights":
        """Returns the weights of TinyBERT's four losses in one step."""
        return cls(prediction=1.0)


@dataclasses.dataclass(frozen=True)
class NumberFormat:
    """How a LiteRT file stores its weights, and how far its answers may be from the Keras model's.

    Quantization is symmetric. Where weights are quantized, rows of activations are quantized to 8 bits at run time.

    Attributes:
        token_bits: Bits of each weight of the token table, which is most of a small student.
        bits: Bits of each weight of a matrix or another table.
        matrix_scales: Which weights of a matrix share a scale: "per_column", an output of the layer; "" for floats.
        table_scales: Which weights of a table share a scale: "per_table" or "per_row"; "" for floats.
        tolerance: Largest difference of a probability that is rounding and not a broken file, and for regression the
            same as a share of the largest number; None where weights are quantized, because the difference then
            depends on the model.
        module: Module that only this format needs; "" for none.
        extra: This package's extra that installs the module.
        whole_rows: Number of pieces, the most frequent ones, whose rows are stored in `bits` in a table of codes
            (product quantization); 0 for a table without codes.
    """

    token_bits: int
    bits: int
    matrix_scales: str = ""
    table_scales: str = ""
    tolerance: float | None = None
    module: str = ""
    extra: str = ""
    whole_rows: int = 0

    @property
    def is_trainable(self) -> bool:
        """Whether `--quantize` can train for it: integers with scales, and no codes."""
        return bool(self.matrix_scales) and not self.whole_rows


NUMBER_FORMATS = {
    "float32": NumberFormat(32, 32, tolerance=1e-4),
    "float16": NumberFormat(16, 16, tolerance=2e-2),  # only stored in it; computed in float32
    "int8": NumberFormat(8, 8, "per_column", "per_table"),
    "int8_pq": NumberFormat(1, 8, "per_column", "per_table", whole_rows=4000),
    "int4": NumberFormat(4, 8, "per_column", "per_row", module="ai_edge_quantizer", extra="int4"),
}
QUANTIZED_FORMATS = tuple(name for name, number_format in NUMBER_FORMATS.items() if number_format.is_trainable)
