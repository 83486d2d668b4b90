"""A LiteRT classifier in Python, without TensorFlow: ai-edge-litert, tokenizers and NumPy are all it needs."""

import os
from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of
from tinybert_tf.tflite.archive import read_files
from tinybert_tf.tflite.runner import open_runner
from tinybert_tf.tflite.texts import check_texts
from tinybert_tf.tflite.tokenizer import bert_tokenizer, tokenizer_rules


class TextClassifier:
    """Classifies texts with an exported student. Threads cannot share one: make one per thread.

    Args:
        model: Path of a `student.tflite`; vocabulary, labels and settings are inside it.
        num_threads: Number of threads that LiteRT computes with.
        threshold: Probability from which on a text has a label, where it may have any number of them.

    Attributes:
        labels: Class names in the order of the model's output.
        info: The settings in the file: `sequence_length`, `lowercase`, `multi_label`, `signature`, …
        abstain_below: Probability below which a text gets no label, from the file; None if each text gets one.

    Raises:
        InputError: The file is not an exported student, a package is missing, or the model has no use for a threshold.

    Example:

    >>> classifier = TextClassifier("runs/export/student.tflite")
    >>> classifier("A gripping, beautifully acted film.")
    {'label': 'positive', 'probabilities': {'negative': 0.0092, 'positive': 0.9908}}
    """

    def __init__(self, model: str | os.PathLike, num_threads: int = 1, threshold: float = 0.5):
        model = path_of(model)
        vocabulary, self.info = read_files(model)
        self.labels, self.threshold = self.info["labels"], threshold
        self.multi_label = self.info.get("multi_label", False)  # older files have no such setting
        self.abstain_below = self.info.get("abstain_below")
        if threshold != 0.5 and not (self.multi_label and 0 < threshold < 1):
            expected = "a number between 0 and 1" if self.multi_label else "none: the model gives each text one answer"
            raise InputError("threshold", threshold, expected)
        sizes = {"sequence_length": self.info["sequence_length"], "fixed": self.info["fixed_length"]}
        self._tokenizer = bert_tokenizer(vocabulary, **sizes, **tokenizer_rules(self.info))
        self._run = open_runner(model, self.info["signature"], num_threads)

    def __call__(self, texts: str | Sequence[str], text_pairs: str | Sequence[str] | None = None):
        """Returns the answer to a text, or a list of answers to several.

        Args:
            texts: One text, or several.
            text_pairs: The second text, or one second text per text.

        Returns:
            `{"label": …, "probabilities": {label: …}}`, the label None where the file abstains; `{"labels": [label, …],
            "probabilities": …}` where a text may have any number of labels; `{"score": …}` for regression.

        Raises:
            InputError: There are not as many second texts as texts, the model reads pairs and there are none or the
                reverse, or something is no text.
        """
        several = not isinstance(texts, str)
        if not several:
            texts, text_pairs = [texts], [text_pairs] if isinstance(text_pairs, str) else text_pairs
        options = self.multi_label, self.threshold, self.abstain_below
        answers = [answer(self.labels, row, *options) for row in self.predict(texts, text_pairs)]
        return answers if several else answers[0]

    def predict(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """Returns float32 probabilities `[texts, classes]`, or scores `[texts, 1]`; takes what a call takes."""
        self._check(texts, text_pairs)
        rows = list(texts) if text_pairs is None else list(zip(texts, text_pairs))
        rows = self._tokenizer.encode_batch(rows)
        answers = np.zeros((len(rows), len(self.labels)), np.float32)
        for place in sorted(range(len(rows)), key=lambda i: len(rows[i].ids)):  # a new length costs an allocation
            row = rows[place]
            inputs = {"token_ids": row.ids, "segment_ids": row.type_ids, "padding_mask": row.attention_mask}
            output = self._run(**{name: np.array([values], np.int32) for name, values in inputs.items()})
            answers[place] = output[self.info["output"]][0]
        return answers

    def _check(self, texts: Sequence[str], text_pairs: Sequence[str] | None) -> None:
        are_pairs = text_pairs is not None
        if are_pairs and not self.info.get("takes_pairs", True):
            raise InputError("text_pairs", "second texts", "one text per row: the model has one segment")
        if self.info.get("text_pairs") and not are_pairs:
            raise InputError("text_pairs", "none", "second texts: the model has learned from pairs")
        if isinstance(text_pairs, str) or (are_pairs and len(text_pairs) != len(texts)):
            got = "one text" if isinstance(text_pairs, str) else f"{len(text_pairs)} texts"
            raise InputError("text_pairs", got, f"{len(texts)}, as many as texts")
        check_texts("texts", texts)
        check_texts("text_pairs", text_pairs if are_pairs else ())


def answer(
    labels: Sequence[str],
    row: np.ndarray,
    multi_label: bool = False,
    threshold: float = 0.5,
    abstain_below: float | None = None,
) -> dict:
    """Returns `label` and `probabilities` by label for a row of probabilities; `score` for a row of one number.

    Where a text may have any number of labels, `labels` has those whose probability is at least `threshold`. Else
    `label` is None if all probabilities are less than `abstain_below`.
    """
    if len(labels) == 1:
        return {"score": float(f"{row[0]:.7g}")}  # numbers may have any unit
    probabilities = {label: round(float(value), 5) for label, value in zip(labels, row)}
    if multi_label:
        return {
            "labels": [label for label, value in zip(labels, row) if value >= threshold],
            "probabilities": probabilities,
        }
    return {"label": label_of(labels, row, abstain_below), "probabilities": probabilities}


def label_of(labels: Sequence[str], row: np.ndarray, abstain_below: float | None = None) -> str | None:
    """Returns the label of the highest of float32 probabilities; None if that is less than `abstain_below`."""
    best = row.argmax()
    return None if abstain_below is not None and row[best] < np.float32(abstain_below) else labels[int(best)]
