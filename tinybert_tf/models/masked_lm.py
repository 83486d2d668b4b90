"""BERT's masked language model: guesses words that were masked out."""

from collections.abc import Iterator

import keras
from keras import ops

from tinybert_tf.errors import InputError
from tinybert_tf.layers.activations import get_activation
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.presets.pretrained import DENSE, NORM, OUTPUT_BIAS, NamedLayer, Pretrained
from tinybert_tf.presets.resolve import open_preset


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertMaskedLM(ModelWithHead):
    """A `BertEncoder` with BERT's masked-LM head, like Hugging Face's `BertForMaskedLM`.

    The head is a dense layer, an activation, a layer norm, and a product with the token table plus a bias. The dense
    layer of a new head starts as the identity: the encoder's own last layer then does most of the head's work.

    Args:
        encoder: The encoder; its `tokenizer` is the model's.

    Example:

    >>> model = BertMaskedLM.from_preset("minilm_l6")  # a new head, to be trained
    >>> inputs = model.tokenizer(["a [MASK] film"])
    >>> model(inputs | {"masked_positions": [[2]]}).shape
    TensorShape([1, 1, 30522])
    """

    architecture = "BertForMaskedLM"
    pipeline_tag = "fill-mask"
    uses_pooler = False

    def __init__(self, encoder: BertEncoder, **kwargs):
        super().__init__(**kwargs)
        config = encoder.config
        # === Layers ===
        self.encoder = encoder
        self.transform = keras.layers.Dense(
            config.embedding_dim or config.hidden_dim,
            activation=get_activation(config.activation),
            kernel_initializer="identity",
            dtype=self.dtype_policy,
            name="transform",
        )
        self.transform_norm = keras.layers.LayerNormalization(
            epsilon=config.layer_norm_epsilon, dtype=self.dtype_policy, name="transform_norm"
        )
        self.build()

    @classmethod
    def from_preset(cls, preset: str, new_head: bool = True, **kwargs) -> "BertMaskedLM":
        """Loads a masked LM, or puts a new head on an encoder that has none.

        Args:
            preset: Name of a model, as for `BertEncoder.from_preset`.
            new_head: Whether a model without a head gets a new one; otherwise it is refused.
            **kwargs: Arguments of `BertEncoder`, such as `dropout` or `dtype`.

        Raises:
            InputError: The preset cannot be read, or cannot become a masked LM.
        """
        source = open_preset(preset, kwargs.get("load_weights", True))
        return cls.from_pretrained(source, new_head, **kwargs)

    @classmethod
    def from_pretrained(
        cls, source: Pretrained, new_head: bool = True, load_weights: bool = True, **kwargs
    ) -> "BertMaskedLM":
        """Builds a masked LM from the parts of a saved model; arguments and errors are those of `from_preset`."""
        if cls.architecture not in source.heads:
            got = f"{source.name}, of the family {source.config.family}"
            raise InputError("preset", got, "a BERT, for a masked language model")
        if source.tokenizer.mask_id is None:
            got = f"a vocabulary in {source.name} without [MASK]"
            raise InputError("preset", got, "one for masked language models")
        model = cls(BertEncoder.from_pretrained(source, load_weights, **kwargs))
        if load_weights and (not new_head or source.has("cls.predictions.transform.dense")):
            source.assign(model.head_layers())
        model.clear_unused_pooler()
        return model

    def hf_config(self) -> dict:
        return super().hf_config() | {"tie_word_embeddings": True}

    def head_layers(self) -> Iterator[NamedLayer]:
        # The product with the token table is tied: it has no weights of its own but the bias.
        yield "cls.predictions.transform.dense", self.transform, DENSE
        yield "cls.predictions.transform.LayerNorm", self.transform_norm, NORM
        yield "cls.predictions", self, OUTPUT_BIAS

    def build(self, input_shape=None):
        if self.built:
            return
        shape = (None, None, self.config.hidden_dim)
        self.transform.build(shape)
        self.transform_norm.build((None, None, self.transform.units))
        self.output_bias = self.add_weight(
            shape=(self.config.vocabulary_size,), initializer="zeros", name="output_bias"
        )
        self.built = True

    def call(self, inputs, training=None):
        """Returns logits `[batch, masked, vocabulary]`, only at the inputs' `masked_positions` `[batch, masked]`."""
        inputs = dict(inputs)
        positions = ops.expand_dims(inputs.pop("masked_positions"), -1)
        hidden = self.encoder(inputs, training=training)["sequence_output"]
        # Only at masked positions, because the product with the token table is the most expensive step.
        hidden = ops.take_along_axis(hidden, ops.cast(positions, "int32"), axis=1)
        hidden = self.transform_norm(self.transform(hidden))
        table = ops.cast(self.encoder.embeddings.token_embedding.embeddings, hidden.dtype)
        logits = ops.matmul(hidden, ops.transpose(table))
        return ops.cast(logits, "float32") + ops.cast(self.output_bias, "float32")
