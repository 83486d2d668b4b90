"""Texts in, label and probabilities out, as TensorFlow functions: a classifier for a server."""

import tensorflow as tf

from tinybert_tf.configs import INPUTS
from tinybert_tf.models import BertClassifier
from tinybert_tf.tflite.graph import PROBABILITIES, SCORE

_TEXTS = ("A fine film.", "It is neither as good nor as bad as people say, but it is rather long. " * 4)


class LabelGraph:
    """The signatures of a classifier's SavedModel.

    `serving_default` takes `text`, strings `[batch]`, and for pairs also `text_pair`; `tokens` takes `token_ids`,
    `segment_ids` and `padding_mask`, int32 `[batch, length]`. Both return `label`, strings `[batch]`, and
    `probabilities`, float32 `[batch, classes]`; for regression `score`, float32 `[batch]`. Where a text may have any
    number of labels there is, in place of `label`, `labels`, strings `[batch, classes]`: each class's name if its
    probability is 0.5 or more, else "". A `label` is "" too where the model abstains.

    Args:
        model: The classifier, with a tokenizer.
        sequence_length: Most tokens in a row; longer rows are cut.
        text_pairs: Whether the task has second texts.
        abstain_below: Probability below which a text gets no label; None if each text gets one.

    Attributes:
        warmup: Requests for `serving_default`, a short and a long one: a string by input.
    """

    def __init__(
        self,
        model: BertClassifier,
        sequence_length: int,
        text_pairs: bool = False,
        abstain_below: float | None = None,
    ):
        self.model, self.length, self.abstain_below = model, sequence_length, abstain_below
        self._inputs = ("text", "text_pair") if text_pairs else ("text",)
        self._labels = tf.constant(model.labels)
        self.warmup = [dict.fromkeys(self._inputs, text) for text in _TEXTS]

    def signatures(self) -> dict:
        """Returns the function and the inputs of each signature, by its name."""
        texts = [tf.TensorSpec([None], tf.string, name=name) for name in self._inputs]
        tokens = [tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUTS]
        return {"serving_default": (self._from_text, texts), "tokens": (self._from_tokens, tokens)}

    def _from_text(self, text, text_pair=None):
        return self._answer(self.model.tokenizer(text, text_pair, sequence_length=self.length))

    def _from_tokens(self, token_ids, segment_ids, padding_mask):
        return self._answer({"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask})

    def _answer(self, tokens):
        logits = self.model({name: ids[:, : self.length] for name, ids in tokens.items()}, training=False)
        if len(self.model.labels) == 1:
            return {SCORE: logits[:, 0]}
        if self.model.multi_label:
            probabilities = tf.sigmoid(logits)
            return {PROBABILITIES: probabilities, "labels": tf.where(probabilities >= 0.5, self._labels[None], "")}
        probabilities, label = tf.nn.softmax(logits), tf.gather(self._labels, tf.argmax(logits, -1))
        if self.abstain_below is not None:
            label = tf.where(tf.reduce_max(probabilities, -1) >= self.abstain_below, label, "")
        return {PROBABILITIES: probabilities, "label": label}
