"""The sum of token, position and segment embeddings."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tinybert_tf.layers.activations import bert_initializer

# Attributes of `BertEmbeddings`; the last is None in a model without segments, such as MPNet.
TABLES = ("token_embedding", "position_embedding", "segment_embedding")


@tf.custom_gradient
def _lookup(table, ids):
    """Looks up rows of `table`, with a dense gradient.

    The gradient of a plain gather is a list of slices, with two slices for a token that occurs twice. Keras 3 squares
    such a list slice by slice, which gives a wrong `global_clipnorm` and a wrong second moment in Adam.
    """

    def grad(upstream):
        width = table.shape[-1]
        flat = tf.reshape(upstream, [-1, width])
        return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), table.shape[0]), None

    return tf.gather(table, ids), grad


@keras.saving.register_keras_serializable(package="tinybert_tf")
class DenseGradientEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` whose gradient is a dense tensor, so that optimizers treat repeated ids correctly."""

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        table = tf.convert_to_tensor(self.embeddings)
        return ops.cast(_lookup(table, ops.cast(inputs, "int32")), self.compute_dtype)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertEmbeddings(keras.layers.Layer):
    """Token + position + segment embeddings, layer-normalized, and projected if they are of another width than the
    layers, as in ELECTRA: hidden state 0 of the encoder.

    Args:
        vocabulary_size: Rows of the token table.
        hidden_dim: Width of the output.
        max_sequence_length: Rows of the position table.
        num_segments: Rows of the segment table; 0 for no table.
        layer_norm_epsilon: Number that is added to the variance.
        dropout: Dropout rate after the normalization while training.
        embedding_dim: Width of every table; 0 for `hidden_dim`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        layer_norm_epsilon: float = 1e-12,
        dropout: float = 0.1,
        embedding_dim: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Layers ===
        width = embedding_dim or hidden_dim
        self.token_embedding = self._table("token_embedding", vocabulary_size, width)
        self.position_embedding = self._table("position_embedding", max_sequence_length, width)
        self.segment_embedding = self._table("segment_embedding", num_segments, width) if num_segments else None
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="layer_norm"
        )
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.projection = None
        if width != hidden_dim:
            self.projection = keras.layers.Dense(
                hidden_dim, kernel_initializer=bert_initializer(), dtype=self.dtype_policy, name="projection"
            )

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.embedding_dim = embedding_dim
        self.layer_norm_epsilon = layer_norm_epsilon
        self.dropout = dropout

    def _table(self, name, rows, width):
        return DenseGradientEmbedding(
            rows, width, embeddings_initializer=bert_initializer(), dtype=self.dtype_policy, name=name
        )

    def build(self, token_ids_shape=None, segment_ids_shape=None):
        for table in filter(None, (self.token_embedding, self.position_embedding, self.segment_embedding)):
            table.build()
        width = (None, None, self.embedding_dim or self.hidden_dim)
        self.layer_norm.build(width)
        if self.projection is not None:
            self.projection.build(width)
        self.built = True

    def call(self, token_ids, segment_ids, training=None):
        """Embeds tokens.

        Args:
            token_ids: Ids of the tokens, `[batch, length]`.
            segment_ids: Segment of each token, `[batch, length]`.
            training: Whether dropout is on.

        Returns:
            The embeddings, `[batch, length, hidden_dim]`.

        Raises:
            ValueError: The rows are longer than the position table.
        """
        length = token_ids.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise ValueError(f"token_ids: got {length} tokens in a row; expected at most {self.max_sequence_length}")
        positions = ops.arange(ops.shape(token_ids)[1], dtype="int32")
        summed = self.token_embedding(token_ids) + self.position_embedding(positions)
        if self.segment_embedding is not None:
            summed = summed + self.segment_embedding(segment_ids)
        embedded = self.dropout_layer(self.layer_norm(summed), training=training)
        return embedded if self.projection is None else self.projection(embedded)

    def in_hidden_space(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Returns the tables by name `[rows, hidden_dim]`, and gamma and beta `[hidden_dim]` of a norm of their sum.

        A projection is multiplied into the tables. Their sum then has another variance than the sum that this layer
        normalizes, so a norm behind it is an approximation.
        """
        held = {name: getattr(self, name) for name in TABLES if getattr(self, name) is not None}
        tables = {name: np.asarray(table.embeddings, np.float64) for name, table in held.items()}
        gamma, beta = (np.asarray(weight, np.float64) for weight in (self.layer_norm.gamma, self.layer_norm.beta))
        if self.projection is None:
            return tables, gamma, beta
        kernel, bias = (np.asarray(weight, np.float64) for weight in self.projection.weights)
        tables = {name: table @ (gamma[:, None] * kernel) for name, table in tables.items()}
        return tables, np.ones(self.hidden_dim), beta @ kernel + bias

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "hidden_dim": self.hidden_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "embedding_dim": self.embedding_dim,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "dropout": self.dropout,
        }
