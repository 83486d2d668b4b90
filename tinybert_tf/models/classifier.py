"""A text classifier: BERT's encoder, its pooled output, one dense layer."""

from collections.abc import Iterator, Sequence

import keras

from tinybert_tf.errors import InputError
from tinybert_tf.layers.activations import bert_initializer
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.presets.pretrained import DENSE, NamedLayer, Pretrained
from tinybert_tf.presets.resolve import open_preset


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertClassifier(ModelWithHead):
    """A sequence classifier on a `BertEncoder`, like Hugging Face's `BertForSequenceClassification`.

    Args:
        encoder: The encoder; its `tokenizer` is the classifier's.
        labels: Class names in the order of the logits. One label means regression.
        dropout: Dropout rate on the pooled output while training; the encoder's by default.

    Raises:
        InputError: There are no labels, or one occurs twice.

    Example:

    >>> classifier = BertClassifier.from_preset("minilm_l6", labels=["negative", "positive"])
    >>> classifier(classifier.tokenizer(["A fine film."])).shape
    TensorShape([1, 2])
    """

    architecture = "BertForSequenceClassification"
    pipeline_tag = "text-classification"

    def __init__(self, encoder: BertEncoder, labels: Sequence[str], dropout: float | None = None, **kwargs):
        super().__init__(**kwargs)
        labels = [str(label) for label in labels]
        if not labels or len(set(labels)) < len(labels):
            raise InputError("labels", labels or "none", "one name per class, each once")
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
            preset: Name of a model, as for `BertEncoder.from_preset`.
            labels: Names of the classes of a new, random head.
            **kwargs: Arguments of `BertEncoder`, such as `dropout` or `dtype`; `load_weights=False` for random weights.

        Raises:
            InputError: The preset cannot be read, or has no classes while `labels` is None.
        """
        return cls.from_pretrained(open_preset(preset, kwargs.get("load_weights", True)), labels, **kwargs)

    @classmethod
    def from_pretrained(
        cls, source: Pretrained, labels: Sequence[str] | None = None, load_weights: bool = True, **kwargs
    ) -> "BertClassifier":
        """Builds a classifier from the parts of a saved model; arguments and errors are those of `from_preset`."""
        if labels is not None:
            return cls(BertEncoder.from_pretrained(source, load_weights, **kwargs), labels)
        labels = source.labels()
        encoder = BertEncoder.from_pretrained(source, load_weights, **kwargs)
        classifier = cls(encoder, labels, dropout=kwargs.get("dropout", source.head_dropout))
        if load_weights:
            source.assign(classifier.head_layers())
        return classifier

    def hf_config(self) -> dict:
        return super().hf_config() | {
            "classifier_dropout": self.dropout,
            "id2label": {str(i): label for i, label in enumerate(self.labels)},
            "label2id": {label: i for i, label in enumerate(self.labels)},
            "problem_type": "regression" if len(self.labels) == 1 else "single_label_classification",
        }

    def head_layers(self) -> Iterator[NamedLayer]:
        yield "classifier", self.classifier, DENSE

    def build(self, input_shape=None):
        if self.built:
            return
        self.classifier.build((None, self.encoder.config.hidden_dim))
        self.built = True

    def call(self, inputs, training=None, return_intermediates=False, return_query_key_value=False):
        """Returns logits `[batch, classes]`; with a `return_…` argument, the encoder's outputs with `logits` added."""
        asked = {"return_intermediates": return_intermediates, "return_query_key_value": return_query_key_value}
        outputs = self.encoder(inputs, training=training, **asked)
        logits = self.classifier(self.dropout_layer(outputs["pooled_output"], training=training))
        return outputs | {"logits": logits} if any(asked.values()) else logits

    def get_config(self):
        return super().get_config() | {"labels": list(self.labels), "dropout": self.dropout}
