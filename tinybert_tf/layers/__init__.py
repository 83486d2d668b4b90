"""The layers of a BERT encoder, with attention scores in the open."""

from tinybert_tf.layers.attention import MultiHeadSelfAttention
from tinybert_tf.layers.embeddings import BertEmbeddings
from tinybert_tf.layers.transformer_block import TransformerBlock

__all__ = ["BertEmbeddings", "MultiHeadSelfAttention", "TransformerBlock"]
