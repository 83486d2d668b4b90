"""A classifier's answers on many examples: computed in batches, and cached where they are needed again."""

import hashlib
from pathlib import Path

import numpy as np
import safetensors
from absl import logging
from safetensors.numpy import load_file, save
from tqdm import tqdm

from tinybert_tf import assets
from tinybert_tf.configs import INPUTS
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.files import write_whole
from tinybert_tf.models import BertClassifier
from tinybert_tf.training import devices
from tinybert_tf.training.run_directory import digest_of

_SHOW_FROM = 5000  # number of rows that take long enough for a progress bar


class Predictor:
    """A classifier in inference mode, as one graph that is traced once.

    Args:
        model: The classifier.
        batch_size: Rows per batch.
    """

    def __init__(self, model: BertClassifier, batch_size: int = 64):
        self.model, self.batch_size = model, batch_size
        self._forward = devices.Forward(lambda inputs: model(inputs, training=False), INPUTS)

    def logits(self, tokens: TokenizedExamples, title: str = "predict") -> np.ndarray:
        """Returns the logits of all rows `[examples, classes]` in their order; each batch has rows of similar length.

        Args:
            tokens: The examples.
            title: Title of the progress bar, which only long work shows.
        """
        order = np.argsort(tokens.lengths, kind="stable")
        logits = np.zeros((len(order), len(self.model.labels)), np.float32)
        quick = len(order) < _SHOW_FROM
        with tqdm(total=len(order), desc=title, unit="text", disable=quick, dynamic_ncols=True) as bar:
            for begin in range(0, len(order), self.batch_size):
                places = order[begin : begin + self.batch_size]
                logits[places] = self._forward(tokens.rows(places))
                bar.update(len(places))
        return logits


def predict_logits(model: BertClassifier, tokens: TokenizedExamples, title: str = "predict") -> np.ndarray:
    """Returns the logits of all rows `[examples, classes]`; for a model that predicts only once."""
    return Predictor(model).logits(tokens, title)


def cached_logits(
    model: BertClassifier, examples: Examples, sequence_length: int, batch_size: int = 64, title: str = "teacher"
) -> np.ndarray:
    """Like `Predictor.logits`, but cached in `TINYBERT_HOME/logits` for the same weights on the same texts."""
    file = _logits_file(model, examples, sequence_length)
    if file.is_file():
        try:
            return load_file(file)["logits"]
        except (safetensors.SafetensorError, KeyError):
            logging.warning("%s is damaged; the teacher's logits are computed again.", file)
    tokens = TokenizedExamples(examples, model.tokenizer, sequence_length)
    logits = Predictor(model, batch_size).logits(tokens, title)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(file, "wb") as stream:
            stream.write(save({"logits": logits}))
    except OSError as error:
        logging.warning("The teacher's logits cannot be cached: %s", error)
    return logits


def _logits_file(model: BertClassifier, examples: Examples, sequence_length: int) -> Path:
    tokenizer = model.tokenizer
    vocabulary = hashlib.sha256("\n".join(tokenizer.vocabulary).encode()).hexdigest()
    key = f"{digest_of(model)} {model.config} {model.encoder.dtype_policy.name} {vocabulary} {tokenizer.normalization}"
    key += f" {examples.fingerprint()} {sequence_length}"
    return assets.home() / "logits" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
