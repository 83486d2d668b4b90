"""A classifier's answers on many examples, quickly, and kept where they are needed again."""

import hashlib
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from safetensors.numpy import load_file, save
from tqdm import tqdm

from tinybert_tf import assets
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.models import BertClassifier
from tinybert_tf.training.run_directory import digest_of

_SHOW_FROM = 5000  # rows that take long enough for a progress bar


def predict_logits(
    model: BertClassifier,
    tokens: TokenizedExamples,
    batch_size: int = 64,
    title: str = "predict",
) -> np.ndarray:
    """Returns the logits of all rows, `[examples, classes]`, in their order. Rows of like length go together.

    Args:
        model: in inference mode.
        tokens: the examples.
        batch_size: rows at a time.
        title: of the progress bar, which long work has.
    """
    order = np.argsort(tokens.lengths, kind="stable")
    logits = np.zeros((len(order), len(model.labels)), np.float32)
    forward = _forward(model)
    with tqdm(total=len(order), desc=title, unit="text", disable=len(order) < _SHOW_FROM, dynamic_ncols=True) as bar:
        for begin in range(0, len(order), batch_size):
            places = order[begin : begin + batch_size]
            rows = tokens.rows(places)
            logits[places] = forward(keras.tree.map_structure(tf.constant, rows)).numpy()
            bar.update(len(places))
    return logits


def _forward(model: BertClassifier):
    """The model as one graph, kept with it: a new one for each evaluation would be traced anew."""
    if not hasattr(model, "_inference_graph"):
        spec = tf.TensorSpec([None, None], tf.int32)
        signature = dict.fromkeys(("token_ids", "segment_ids", "padding_mask"), spec)
        graph = tf.function(lambda inputs: model(inputs, training=False), input_signature=[signature])
        object.__setattr__(model, "_inference_graph", graph)
    return model._inference_graph


def has_cached_logits(model: BertClassifier, examples: Examples, sequence_length: int) -> bool:
    """Whether `cached_logits` has them already."""
    return _logits_file(model, examples, sequence_length).is_file()


def cached_logits(
    model: BertClassifier, examples: Examples, sequence_length: int, batch_size: int = 64, title: str = "teacher"
) -> np.ndarray:
    """As `predict_logits`, from `TINYBERT_HOME/logits` where the same weights have read the same texts before."""
    file = _logits_file(model, examples, sequence_length)
    if file.is_file():
        return load_file(file)["logits"]
    tokens = TokenizedExamples(examples, model.tokenizer, sequence_length)
    logits = predict_logits(model, tokens, batch_size, title)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(save({"logits": logits}))
        partial.replace(file)
    except OSError as error:
        logging.warning("The teacher's logits are not kept: %s", error)
    return logits


def _logits_file(model: BertClassifier, examples: Examples, sequence_length: int) -> Path:
    key = f"{digest_of(model)} {model.config} {model.encoder.dtype_policy.name} {model.tokenizer.get_config()}"
    key += f" {examples.fingerprint()} {sequence_length}"
    return assets.home() / "logits" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
