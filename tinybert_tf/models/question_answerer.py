"""Extractive question answering: BERT's encoder, and for each token how well an answer starts or ends there."""

from collections.abc import Iterator

import keras
from keras import ops

from tinybert_tf.layers.activations import bert_initializer
from tinybert_tf.layers.attention import MASKED_SCORE
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.presets.pretrained import DENSE, NamedLayer, Pretrained
from tinybert_tf.presets.resolve import open_preset

START, END = "start_logits", "end_logits"


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertQuestionAnswerer(ModelWithHead):
    """A `BertEncoder` with a span head, like Hugging Face's `BertForQuestionAnswering`.

    The head is one dense layer from each token's last state to two logits. Padding has logits so low that no
    probability falls on it.

    Args:
        encoder: The encoder; its `tokenizer` is the model's.
        null_threshold: Odds of "no answer" above which a context is said to hold none, see `data.spans.Span`; None for
            a model that always answers.

    Example:

    >>> model = BertQuestionAnswerer.from_preset("minilm_l6")  # a new head, to be trained
    >>> outputs = model(model.tokenizer(["Who sings?"], ["The choir sings."]))
    >>> outputs["start_logits"].shape
    TensorShape([1, 9])
    """

    architecture = "BertForQuestionAnswering"
    pipeline_tag = "question-answering"
    uses_pooler = False

    def __init__(self, encoder: BertEncoder, null_threshold: float | None = None, **kwargs):
        super().__init__(**kwargs)
        # === Layers ===
        self.encoder = encoder
        self.qa_outputs = keras.layers.Dense(
            2, kernel_initializer=bert_initializer(), dtype=self.dtype_policy, name="qa_outputs"
        )

        # === Config ===
        self.null_threshold = null_threshold
        self.build()

    @classmethod
    def from_preset(cls, preset: str, new_head: bool = True, **kwargs) -> "BertQuestionAnswerer":
        """Loads a question answerer, or puts a new head on an encoder that has none.

        Args:
            preset: Name of a model, as for `BertEncoder.from_preset`.
            new_head: Whether a model without a head gets a new one; otherwise it is refused.
            **kwargs: Arguments of `BertEncoder`, such as `dropout` or `dtype`; `load_weights=False` for random weights.

        Raises:
            InputError: The preset cannot be read, or has no head while `new_head` is False.
        """
        source = open_preset(preset, kwargs.get("load_weights", True))
        return cls.from_pretrained(source, new_head, **kwargs)

    @classmethod
    def from_pretrained(
        cls, source: Pretrained, new_head: bool = True, load_weights: bool = True, **kwargs
    ) -> "BertQuestionAnswerer":
        """Builds a model from the parts of a saved one; arguments and errors are those of `from_preset`."""
        has_head = source.answers_questions
        threshold = source.null_threshold if has_head else None
        model = cls(BertEncoder.from_pretrained(source, load_weights, **kwargs), threshold)
        if load_weights and (has_head or not new_head):
            source.assign(model.head_layers())
        model.clear_unused_pooler()
        return model

    def hf_config(self) -> dict:
        threshold = self.null_threshold
        return super().hf_config() | ({} if threshold is None else {"null_threshold": threshold})

    def head_layers(self) -> Iterator[NamedLayer]:
        yield "qa_outputs", self.qa_outputs, DENSE

    def build(self, input_shape=None):
        if self.built:
            return
        self.qa_outputs.build((None, None, self.encoder.config.hidden_dim))
        self.built = True

    def call(self, inputs, training=None, return_intermediates=False, return_query_key_value=False):
        """Returns `start_logits` and `end_logits`, each `[batch, length]`, after the encoder's outputs if asked for."""
        asked = {"return_intermediates": return_intermediates, "return_query_key_value": return_query_key_value}
        outputs = self.encoder(inputs, training=training, **asked)
        logits = self.qa_outputs(outputs["sequence_output"])
        masked = ops.cast(1 - ops.cast(inputs["padding_mask"], "int32"), logits.dtype) * MASKED_SCORE
        spans = {START: logits[..., 0] + masked, END: logits[..., 1] + masked}
        return outputs | spans if any(asked.values()) else spans

    def get_config(self):
        return super().get_config() | {"null_threshold": self.null_threshold}
