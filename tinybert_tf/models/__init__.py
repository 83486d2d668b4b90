"""The models: encoder, classifier, masked LM and question answerer, and the tokenizer."""

from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM
from tinybert_tf.models.question_answerer import BertQuestionAnswerer
from tinybert_tf.tokenizer import BertTokenizer

__all__ = ["BertClassifier", "BertEncoder", "BertMaskedLM", "BertQuestionAnswerer", "BertTokenizer"]
