"""A classifier as a SavedModel for TF Serving: strings in, label and probabilities out."""

from pathlib import Path

import keras
import tensorflow as tf

from tinybert_tf.errors import InputError
from tinybert_tf.models.classifier import BertClassifier

WARMUP_TEXTS = ("A fine film.", "It is neither as good nor as bad as people say, but it is rather long. " * 4)


def save_for_serving(classifier: BertClassifier, folder: Path, sequence_length: int, text_pairs: bool) -> None:
    """Writes `folder/1`, a version as TF Serving wants it, with warm-up requests.

    The signature `serving_default` takes `text`, strings `[batch]`, and with `text_pairs` also `text_pair`; `tokens`
    takes `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`. Both return `label`, strings
    `[batch]`, and `probabilities`, float32 `[batch, classes]`; for regression `score`, float32 `[batch]`.

    Args:
        classifier: with a tokenizer.
        folder: is made; holds no version yet.
        sequence_length: most tokens in a row; longer ones are cut.
        text_pairs: whether the task has second texts.

    Raises:
        InputError: the package with TF Serving's messages is missing.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        raise InputError(
            "export_formats", "'saved_model' without tensorflow-serving-api", "pip install 'tinybert-tf[serving]'"
        ) from None
    labels = tf.constant(classifier.labels)

    def answer(tokens):
        logits = classifier({name: ids[:, :sequence_length] for name, ids in tokens.items()}, training=False)
        if len(classifier.labels) == 1:
            return {"score": logits[:, 0]}
        return {"probabilities": tf.nn.softmax(logits), "label": tf.gather(labels, tf.argmax(logits, -1))}

    def from_text(text, text_pair=None):
        return answer(classifier.tokenizer(text, text_pair, sequence_length=sequence_length))

    def from_tokens(token_ids, segment_ids, padding_mask):
        return answer({"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask})

    archive = keras.export.ExportArchive()
    archive.track(classifier)
    texts = ["text", "text_pair"] if text_pairs else ["text"]
    archive.add_endpoint("serving_default", from_text, [tf.TensorSpec([None], tf.string, name=name) for name in texts])
    names = ("token_ids", "segment_ids", "padding_mask")
    archive.add_endpoint("tokens", from_tokens, [tf.TensorSpec([None, None], tf.int32, name=name) for name in names])
    archive.write_out(folder / "1", verbose=False)
    extra = folder / "1" / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for text in WARMUP_TEXTS:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = "serving_default"
            for name in texts:
                request.inputs[name].CopyFrom(tf.make_tensor_proto([text]))
            writer.write(log.SerializeToString())
