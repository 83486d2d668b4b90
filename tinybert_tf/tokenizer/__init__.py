"""BERT's WordPiece tokenizer, inside the TensorFlow graph."""

from tinybert_tf.tokenizer.tokenizer import BertTokenizer

__all__ = ["BertTokenizer"]
