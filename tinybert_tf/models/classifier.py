"""A text classifier: BERT's encoder, its pooled output, one dense layer."""

from collections.abc import Sequence

import keras

from tinybert_tf.errors import InputError
from tinybert_tf.layers.activations import bert_initializer
from tinybert_tf.models.encoder import BertEncoder


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertClassifier(keras.Model):
    """A sequence classifier on a `BertEncoder`, as Hugging Face's `BertForSequenceClassification`.

    Args:
        encoder: the encoder; its `tokenizer` is the classifier's.
        labels: class names in the order of the logits. One label means regression.
        dropout: rate on the pooled output while training; the encoder's by default.

    Raises:
        InputError: there are no labels, or the same one twice.

    Example:

    >>> classifier = BertClassifier.from_preset("minilm_l6", labels=["negative", "positive"])
    >>> classifier(classifier.tokenizer(["A fine film."])).shape
    TensorShape([1, 2])
    """

    def __init__(self, encoder: BertEncoder, labels: Sequence[str], dropout: float | None = None, **kwargs):
        super().__init__(**kwargs)
        labels = [str(label) for label in labels]
        if not labels or len(set(labels)) < len(labels):
            raise InputError("labels", labels or "none", "one name a class, each once")
        # === Layers ===
        self.encoder = encoder
        rate = encoder.config.dropout if dropout is None else dropout
        self.dropout_layer = keras.layers.Dropout(rate, dtype=self.dtype_policy, name="dropout")
        self.classifier = keras.layers.Dense(
            len(labels), kernel_initializer=bert_initializer(), dtype=self.dtype_policy, name="classifier"
        )

        # === Config ===
        self.labels = labels
        self.dropout = rate
        self.build()

    @classmethod
    def from_preset(cls, preset: str, labels: Sequence[str] | None = None, **kwargs) -> "BertClassifier":
        """Loads a classifier, or puts a new head for `labels` on an encoder.

        Args:
            preset: sources as `BertEncoder.from_preset`.
            labels: names of the classes of a new, random head.
            **kwargs: arguments of `BertEncoder`, such as `dropout` or `dtype`; `load_weights=False` for random weights.

        Raises:
            InputError: the preset cannot be read, or has no classes and `labels` are not given.
        """
        from tinybert_tf.presets.resolve import load_classifier

        return load_classifier(preset, labels=labels, **kwargs)

    def save_to_preset(self, folder) -> None:
        """Writes a standard Hugging Face folder with labels and tokenizer; `from_preset` needs nothing else."""
        from tinybert_tf.presets.folder import save_folder

        save_folder(self, folder)

    def build(self, input_shape=None):
        if self.built:
            return
        self.classifier.build((None, self.encoder.config.hidden_dim))
        self.built = True

    def call(self, inputs, training=None, return_intermediates=False):
        """Returns logits `[batch, classes]`; with `return_intermediates` the encoder's dict with `logits` in it."""
        outputs = self.encoder(inputs, training=training, return_intermediates=return_intermediates)
        logits = self.classifier(self.dropout_layer(outputs["pooled_output"], training=training))
        return outputs | {"logits": logits} if return_intermediates else logits

    @property
    def config(self):
        """The encoder's shape."""
        return self.encoder.config

    @property
    def tokenizer(self):
        """The encoder's tokenizer, or None."""
        return self.encoder.tokenizer

    def get_config(self):
        return super().get_config() | {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "labels": list(self.labels),
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": keras.saving.deserialize_keras_object(config["encoder"])})
