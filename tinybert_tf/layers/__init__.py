"""The layers of a BERT encoder, which return their attention scores."""

from tinybert_tf.layers.attention import MultiHeadSelfAttention
from tinybert_tf.layers.embeddings import BertEmbeddings
from tinybert_tf.layers.transformer_block import TransformerBlock

__all__ = ["BertEmbeddings", "MultiHeadSelfAttention", "TransformerBlock"]
