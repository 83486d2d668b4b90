"""BERT's masked language model: guesses words that were masked out."""

import keras
from keras import ops

from tinybert_tf.layers.activations import get_activation
from tinybert_tf.models.encoder import BertEncoder


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertMaskedLM(keras.Model):
    """A `BertEncoder` with BERT's masked-LM head, as Hugging Face's `BertForMaskedLM`.

    The head is dense, activation, layer norm, and a product with the token table plus a bias. A new head's dense
    layer starts at the identity: most of what it has to do is then done by the encoder's own last layer.

    Args:
        encoder: the encoder; its `tokenizer` is the model's.

    Example:

    >>> model = BertMaskedLM.from_preset("minilm_l6")  # a new head, to be trained
    >>> inputs = model.tokenizer(["a [MASK] film"])
    >>> model(inputs | {"masked_positions": [[2]]}).shape
    TensorShape([1, 1, 30522])
    """

    def __init__(self, encoder: BertEncoder, **kwargs):
        super().__init__(**kwargs)
        config = encoder.config
        # === Layers ===
        self.encoder = encoder
        self.transform = keras.layers.Dense(
            config.hidden_dim,
            activation=get_activation(config.activation),
            kernel_initializer="identity",
            dtype=self.dtype_policy,
            name="transform",
        )
        self.transform_norm = keras.layers.LayerNormalization(
            epsilon=config.layer_norm_epsilon, dtype=self.dtype_policy, name="transform_norm"
        )
        self.encoder.pooler.trainable = False  # has no part in this
        self.build()

    @classmethod
    def from_preset(cls, preset: str, **kwargs) -> "BertMaskedLM":
        """Loads a masked LM, or puts a new head on an encoder that has none.

        Args:
            preset: sources as `BertEncoder.from_preset`.
            **kwargs: arguments of `BertEncoder`, such as `dropout` or `dtype`.

        Raises:
            InputError: the preset cannot be read.
        """
        from tinybert_tf.presets.resolve import load_masked_lm

        return load_masked_lm(preset, **kwargs)

    def save_to_preset(self, folder) -> None:
        """Writes a standard Hugging Face `BertForMaskedLM` folder."""
        from tinybert_tf.presets.folder import save_folder

        save_folder(self, folder)

    def build(self, input_shape=None):
        if self.built:
            return
        shape = (None, None, self.config.hidden_dim)
        self.transform.build(shape)
        self.transform_norm.build(shape)
        self.output_bias = self.add_weight(
            shape=(self.config.vocabulary_size,), initializer="zeros", name="output_bias"
        )
        self.built = True

    def call(self, inputs, training=None):
        """Returns logits `[batch, masked, vocabulary]` at `masked_positions` `[batch, masked]` of the inputs alone."""
        inputs = dict(inputs)
        positions = ops.expand_dims(inputs.pop("masked_positions"), -1)
        hidden = self.encoder(inputs, training=training)["sequence_output"]
        # Only where something is to be guessed: the product with the token table is the dearest of all.
        hidden = ops.take_along_axis(hidden, ops.cast(positions, "int32"), axis=1)
        hidden = self.transform_norm(self.transform(hidden))
        table = ops.cast(self.encoder.embeddings.token_embedding.embeddings, hidden.dtype)
        logits = ops.matmul(hidden, ops.transpose(table))
        return ops.cast(logits, "float32") + ops.cast(self.output_bias, "float32")

    @property
    def config(self):
        """The encoder's shape."""
        return self.encoder.config

    @property
    def tokenizer(self):
        """The encoder's tokenizer, or None."""
        return self.encoder.tokenizer

    def get_config(self):
        return super().get_config() | {"encoder": keras.saving.serialize_keras_object(self.encoder)}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": keras.saving.deserialize_keras_object(config["encoder"])})
