"""One encoder layer of BERT."""

import keras

from tinybert_tf.layers.activations import bert_initializer, get_activation
from tinybert_tf.layers.attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TransformerBlock(keras.layers.Layer):
    """Post-layer-norm Transformer encoder layer: self-attention, then a two-layer feed-forward network.

    Args:
        num_heads: Number of attention heads, a divisor of the input's width.
        intermediate_dim: Width of the feed-forward network.
        activation: A Hugging Face `hidden_act` name, see `tinybert_tf.layers.activations`.
        layer_norm_epsilon: Number that is added to the variance.
        dropout: Dropout rate on the outputs of both sub-layers while training.
        attention_dropout: Dropout rate on attention probabilities while training; `dropout` by default.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        activation: str = "gelu",
        layer_norm_epsilon: float = 1e-12,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.dropout = dropout
        self.attention_dropout = dropout if attention_dropout is None else attention_dropout
        self.activation_function = get_activation(activation)

    def build(self, hidden_shape):
        hidden_dim = hidden_shape[-1]
        common = {"dtype": self.dtype_policy}
        self.attention = MultiHeadSelfAttention(self.num_heads, self.attention_dropout, name="attention", **common)
        self.attention_norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, name="attention_norm", **common
        )
        self.intermediate_dense = keras.layers.Dense(
            self.intermediate_dim, kernel_initializer=bert_initializer(), name="intermediate", **common
        )
        self.output_dense = keras.layers.Dense(
            hidden_dim, kernel_initializer=bert_initializer(), name="output", **common
        )
        self.output_norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, name="output_norm", **common
        )
        self.dropout_layer = keras.layers.Dropout(self.dropout, name="dropout", **common)
        for layer in (self.attention, self.attention_norm, self.intermediate_dense, self.output_norm):
            layer.build(hidden_shape)
        self.output_dense.build((*hidden_shape[:-1], self.intermediate_dim))
        self.built = True

    def call(self, hidden, attention_mask=None, position_bias=None, training=None, return_query_key_value=False):
        """Computes one layer; takes the arguments of `MultiHeadSelfAttention`.

        Returns:
            The layer's output `[batch, length, hidden_dim]` and its attention scores `[batch, heads, query, key]`; with
            `return_query_key_value` also its queries, keys and values, side by side: `[batch, length, 3 · hidden_dim]`.
        """
        attended, *intermediates = self.attention(
            hidden, attention_mask, position_bias, training=training, return_query_key_value=return_query_key_value
        )
        hidden = self.attention_norm(hidden + self.dropout_layer(attended, training=training))
        expanded = self.activation_function(self.intermediate_dense(hidden))
        contracted = self.dropout_layer(self.output_dense(expanded), training=training)
        return self.output_norm(hidden + contracted), *intermediates

    def compute_output_spec(self, hidden, *args, **kwargs):
        return self.attention.compute_output_spec(hidden, *args, **kwargs)

    def get_config(self):
        return super().get_config() | {
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
        }
