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
        multi_label: Whether a text may have any number of the labels: probabilities are then sigmoids of the logits.

    Raises:
        InputError: There are no labels, one occurs twice or is not a line, or there is only one to have any number of.

    Example:

    >>> classifier = BertClassifier.from_preset("minilm_l6", labels=["negative", "positive"])
    >>> classifier(classifier.tokenizer(["A fine film."])).shape
    TensorShape([1, 2])
    """

    architecture = "BertForSequenceClassification"
    pipeline_tag = "text-classification"

    def __init__(
        self, encoder: BertEncoder, labels: Sequence[str], dropout: float | None = None, multi_label=False, **kwargs
    ):
        super().__init__(**kwargs)
        labels = [str(label) for label in labels]
        if not labels or len(set(labels)) < len(labels):
            raise InputError("labels", labels or "none", "one name per class, each once")
        if unfit := [label for label in labels if not label.strip() or len(label.splitlines()) > 1]:
            raise InputError("labels", repr(unfit[0]), "names of one line: a file of labels has one per line")
        if multi_label and len(labels) < 2:
            raise InputError("labels", labels[0], "two or more, where a text may have any number of them")
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
        self.multi_label = multi_label
        self.build()

    @classmethod
    def from_preset(
        cls, preset: str, labels: Sequence[str] | None = None, multi_label: bool = False, **kwargs
    ) -> "BertClassifier":
        """Loads a classifier, or puts a new head for `labels` on an encoder.

        Args:
            preset: Name of a model, as for `BertEncoder.from_preset`.
            labels: Names of the classes of a new, random head.
            multi_label: Whether a text may have any number of the classes of a new head.
            **kwargs: Arguments of `BertEncoder`, such as `dropout` or `dtype`; `load_weights=False` for random weights.

        Raises:
            InputError: The preset cannot be read, or has no classes while `labels` is None.
        """
        source = open_preset(preset, kwargs.get("load_weights", True))
        return cls.from_pretrained(source, labels, multi_label, **kwargs)

    @classmethod
    def from_pretrained(
        cls,
        source: Pretrained,
        labels: Sequence[str] | None = None,
        multi_label: bool = False,
        load_weights: bool = True,
        **kwargs,
    ) -> "BertClassifier":
        """Builds a classifier from the parts of a saved model; arguments and errors are those of `from_preset`."""
        if labels is not None:
            return cls(BertEncoder.from_pretrained(source, load_weights, **kwargs), labels, multi_label=multi_label)
        labels = source.labels()
        encoder = BertEncoder.from_pretrained(source, load_weights, **kwargs)
        rate = kwargs.get("dropout", source.head_dropout)
        classifier = cls(encoder, labels, dropout=rate, multi_label=source.multi_label)
        if load_weights:
            source.assign(classifier.head_layers())
        return classifier

    @property
    def problem_type(self) -> str:
        """What the logits mean, in Hugging Face's words."""
        if len(self.labels) == 1:
            return "regression"
        return "multi_label_classification" if self.multi_label else "single_label_classification"

    def hf_config(self) -> dict:
        return super().hf_config() | {
            "classifier_dropout": self.dropout,
            "id2label": {str(i): label for i, label in enumerate(self.labels)},
            "label2id": {label: i for i, label in enumerate(self.labels)},
            "problem_type": self.problem_type,
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
        return super().get_config() | {
            "labels": list(self.labels),
            "dropout": self.dropout,
            "multi_label": self.multi_label,
        }
