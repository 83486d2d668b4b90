"""Multi-head self-attention that returns its pre-softmax scores."""

import keras
from keras import ops

from tinybert_tf.errors import InputError
from tinybert_tf.layers.activations import bert_initializer

# Added to the score of a padded key. It is large enough that exp() gives 0 in float32 beside any score of a BERT,
# and small enough for float16 and for quantized ranges.
MASKED_SCORE = -1e4


def additive_mask(padding_mask, dtype):
    """Returns a mask `[batch, 1, 1, key]` to add to the scores, from `[batch, length]` (1 = token, 0 = padding)."""
    # Not [:, None, None, :]: LiteRT's converter has no strided slice with new axes.
    return ops.expand_dims((1.0 - ops.cast(padding_mask, dtype)) * MASKED_SCORE, (1, 2))


@keras.saving.register_keras_serializable(package="tinybert_tf")
class MultiHeadSelfAttention(keras.layers.Layer):
    """Self-attention, softmax(QKᵀ/√d + mask)V, that also returns QKᵀ/√d, which TinyBERT's equation 7 compares.

    Args:
        num_heads: Number of heads, a divisor of the input's width.
        dropout: Dropout rate on the attention probabilities while training.
    """

    def __init__(self, num_heads: int, dropout: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout

    def build(self, hidden_shape):
        hidden_dim = hidden_shape[-1]
        if hidden_dim % self.num_heads:
            raise InputError("num_heads", self.num_heads, f"a divisor of the width {hidden_dim}")
        self.head_dim = hidden_dim // self.num_heads
        for name in ("query", "key", "value", "output"):
            dense = keras.layers.Dense(
                hidden_dim, kernel_initializer=bert_initializer(), dtype=self.dtype_policy, name=name
            )
            dense.build(hidden_shape)
            setattr(self, f"{name}_dense", dense)
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name="dropout")
        self.built = True

    def call(self, hidden, attention_mask=None, position_bias=None, training=None, return_query_key_value=False):
        """Computes the attention of one layer.

        Args:
            hidden: The layer's input `[batch, length, hidden_dim]`.
            attention_mask: An additive mask `[batch, 1, 1, key]`, or None.
            position_bias: A bias that is added to the scores, `[1, heads, query, key]`, or None.
            training: Whether dropout is on.
            return_query_key_value: Whether to return queries, keys and values too.

        Returns:
            The output `[batch, length, hidden_dim]`, and the scores `[batch, heads, query, key]`: scaled, with the
            bias, before mask and softmax. With `return_query_key_value` also the queries (not scaled), keys and
            values of all heads, side by side: `[batch, length, 3 · hidden_dim]`.
        """
        query, key, value = self.query_dense(hidden), self.key_dense(hidden), self.value_dense(hidden)
        scaled = self._split_heads(query * self.head_dim**-0.5)
        scores = ops.matmul(scaled, ops.transpose(self._split_heads(key), (0, 1, 3, 2)))
        scores = scores if position_bias is None else scores + position_bias
        probabilities = ops.softmax(scores if attention_mask is None else scores + attention_mask, axis=-1)
        context = ops.matmul(self.dropout_layer(probabilities, training=training), self._split_heads(value))
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), ops.shape(hidden))
        outputs = self.output_dense(context), scores
        return (*outputs, ops.concatenate([query, key, value], axis=-1)) if return_query_key_value else outputs

    def _split_heads(self, x):
        """Reshapes `[batch, length, hidden_dim]` to `[batch, heads, length, head_dim]`."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_spec(
        self, hidden, attention_mask=None, position_bias=None, training=None, return_query_key_value=False
    ):
        batch, length, hidden_dim = hidden.shape
        shapes = [hidden.shape, (batch, self.num_heads, length, length)]
        shapes += [(batch, length, 3 * hidden_dim)] if return_query_key_value else []
        return tuple(keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)

    def get_config(self):
        return super().get_config() | {"num_heads": self.num_heads, "dropout": self.dropout}
