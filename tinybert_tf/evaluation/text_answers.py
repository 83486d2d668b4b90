"""A classifier's answers to texts as lines of JSON: the format of `--stage=predict`."""

import json
from collections.abc import Sequence

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.models import BertClassifier
from tinybert_tf.tflite.classifier import answer


class TextAnswers:
    """Answers texts, or pairs of texts.

    Args:
        model: The classifier.
        sequence_length: Most tokens in a row.
        batch_size: Rows per batch.
        threshold: Probability from which on a text has a label, where it may have any number of them.
        abstain_below: Probability below which a text gets no label; None if each text gets one.
    """

    def __init__(
        self,
        model: BertClassifier,
        sequence_length: int,
        batch_size: int,
        threshold: float = 0.5,
        abstain_below: float | None = None,
    ):
        self.model, self.sequence_length = model, sequence_length
        self._predictor = Predictor(model, batch_size)
        self._options = model.multi_label, threshold, abstain_below

    def lines(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[str]:
        """Returns a line per text, with its newline; texts of similar length are computed together."""
        tokens = TokenizedExamples(Examples(texts, pairs), self.model.tokenizer, self.sequence_length)
        answers = metrics.probabilities_of(self._predictor.logits(tokens), self.model.multi_label)
        lines = []
        for i, (text, probabilities) in enumerate(zip(texts, answers)):
            row = {"text": text} | ({} if pairs is None else {"text_pair": pairs[i]})
            row |= answer(self.model.labels, probabilities, *self._options)
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        return lines
