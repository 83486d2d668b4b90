"""The models: encoder, classifier and masked LM, and the tokenizer."""

from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM
from tinybert_tf.tokenizer import BertTokenizer

__all__ = ["BertClassifier", "BertEncoder", "BertMaskedLM", "BertTokenizer"]
