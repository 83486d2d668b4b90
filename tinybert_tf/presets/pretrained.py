"""The parts of a saved model in any format, as `open_preset` returns them."""

import abc
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.tokenizer import BertTokenizer

# The kinds of layer: for each parameter its name at Hugging Face, its attribute here, and whether the matrix is
# stored transposed ([out, in] in PyTorch).
DENSE = (("weight", "kernel", True), ("bias", "bias", False))
NORM = (("weight", "gamma", False), ("bias", "beta", False))
TABLE = (("weight", "embeddings", False),)
OUTPUT_BIAS = (("bias", "output_bias", False),)

# (Hugging Face's name of a layer in a BERT, the layer, its kind)
NamedLayer = tuple[str, Any, Sequence[tuple[str, str, bool]]]


class Pretrained(abc.ABC):
    """A saved model, opened once: its shape, tokenizer, labels and weights, in BERT's terms.

    It knows no model class. A model is built from its parts, and then gets its weights:

    >>> source = open_preset("minilm_l6")
    >>> encoder = BertEncoder.from_shape(source.config, tokenizer=source.tokenizer)
    >>> source.assign(encoder.named_layers(), optional=("pooler.dense",))

    Attributes:
        name: Name of the model in errors.
        config_source: Name, in errors, of the place from which its shape is read.
        config: Shape of its encoder.
        tokenizer: Its tokenizer.
        heads: Kinds of model that its family has, in Hugging Face's names for BERT.
        is_classifier: Whether it is known to be a whole classifier, with a head.
        answers_questions: Whether it is known to be a whole question answerer, with a span head.
        null_threshold: A question answerer gives no answer if the score of "no answer" exceeds the best answer's by
            more than this; None if it always answers.
        head_dropout: Dropout rate of the classifier's head; None for the encoder's rate.
        multi_label: Whether the classifier gives a text any number of its labels.
    """

    name: str
    config_source: str
    config: EncoderConfig
    tokenizer: BertTokenizer
    heads: Sequence[str]
    is_classifier: bool
    answers_questions: bool = False
    null_threshold: float | None = None
    head_dropout: float | None
    multi_label: bool = False

    @abc.abstractmethod
    def labels(self) -> list[str]:
        """Returns the classes in the order of the logits.

        Raises:
            InputError: It is not a classifier.
        """

    @abc.abstractmethod
    def has(self, prefix: str) -> bool:
        """Returns whether it has weights for the layer of this name in a BERT."""

    @abc.abstractmethod
    def read(self, prefix: str, parameter: tuple[str, str, bool], shape: Sequence[int]) -> np.ndarray:
        """Returns a layer's parameter as float32, in the shape of our layer.

        Raises:
            InputError: It is missing, has another shape, or does not hold floats.
        """

    def assign(self, layers: Iterable[NamedLayer], optional: Sequence[str] = ()) -> None:
        """Gives layers their weights.

        Args:
            layers: The layers, as a model's `named_layers` yields them.
            optional: Names of layers that may be missing altogether; they stay as they are.

        Raises:
            InputError: A weight is missing or does not fit.
        """
        for prefix, layer, kind in layers:
            if prefix in optional and not self.has(prefix):
                continue
            for parameter in kind:
                variable = getattr(layer, parameter[1])
                variable.assign(self.read(prefix, parameter, variable.shape))


def tensors_of(layers: Iterable[NamedLayer]) -> dict[str, np.ndarray]:
    """Returns weights as they are stored, by Hugging Face's name; always float32."""
    tensors = {}
    for prefix, layer, kind in layers:
        for theirs, ours, transposed in kind:
            value = np.asarray(getattr(layer, ours), dtype=np.float32)
            tensors[f"{prefix}.{theirs}"] = value.T if transposed else value
    return tensors
