"""keras-hub presets: names, `kaggle://…` and folders that keras-hub's own `save_to_preset` wrote."""

import functools
import math
import operator
from collections.abc import Sequence

import numpy as np

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.presets.families import FAMILIES
from tinybert_tf.presets.pretrained import Pretrained
from tinybert_tf.tokenizer import BertTokenizer

# The attribute of a `BertBackbone` for each of Hugging Face's names; a layer's weights have the same order in both.
_LAYERS = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "position_embedding",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embeddings_layer_norm",
    "pooler.dense": "pooled_dense",
}
_BLOCK_LAYERS = {
    "attention.self.query": "_self_attention_layer.query_dense",
    "attention.self.key": "_self_attention_layer.key_dense",
    "attention.self.value": "_self_attention_layer.value_dense",
    "attention.output.dense": "_self_attention_layer.output_dense",
    "attention.output.LayerNorm": "_self_attention_layer_norm",
    "intermediate.dense": "_feedforward_intermediate_dense",
    "output.dense": "_feedforward_output_dense",
    "output.LayerNorm": "_feedforward_layer_norm",
}


def preset_names() -> list[str]:
    """Returns the names of keras-hub's BERTs."""
    import keras_hub

    return list(keras_hub.models.BertBackbone.presets)


class KerasHubPretrained(Pretrained):
    """A `BertBackbone` with its `BertTokenizer`, or the `BertTextClassifier` around it, loaded when needed.

    Args:
        name: Name that keras-hub takes.
        load_weights: Whether to load the weights.
    """

    def __init__(self, name: str, load_weights: bool = True):
        self.name = self.config_source = name
        self._load_weights, self._task = load_weights, None
        self.heads = tuple(FAMILIES["bert"].architectures)

    @functools.cached_property
    def _backbone(self):
        import keras_hub

        if self._task is not None:
            return self._task.backbone
        return self._from_preset(keras_hub.models.BertBackbone, load_weights=self._load_weights)

    @functools.cached_property
    def config(self) -> EncoderConfig:
        backbone = self._backbone
        return EncoderConfig(
            vocabulary_size=backbone.vocabulary_size,
            num_layers=backbone.num_layers,
            num_heads=backbone.num_heads,
            hidden_dim=backbone.hidden_dim,
            intermediate_dim=backbone.intermediate_dim,
            max_sequence_length=backbone.max_sequence_length,
            num_segments=backbone.num_segments,
            activation="gelu_new",  # keras-hub computes GELU in its tanh form
            dropout=backbone.dropout,
        )

    @functools.cached_property
    def tokenizer(self) -> BertTokenizer:
        import keras_hub

        theirs = self._from_preset(keras_hub.models.BertTokenizer)
        length, takes_pairs = self.config.max_sequence_length, self.config.num_segments != 1
        return BertTokenizer(theirs.get_vocabulary(), theirs.lowercase, length, takes_pairs=takes_pairs)

    @functools.cached_property
    def is_classifier(self) -> bool:
        """Whether it has a head, and so classes, which have no names."""
        try:
            return bool(KerasHubPretrained(self.name, load_weights=False).labels())
        except InputError:
            return False

    @property
    def head_dropout(self) -> float | None:
        return None if self._task is None else self._task.dropout

    def labels(self) -> list[str]:
        """Returns LABEL_0, LABEL_1 and so on: a `BertTextClassifier` has no names for its classes."""
        import keras_hub

        if self._task is None:
            self._task = self._from_preset(keras_hub.models.BertTextClassifier, load_weights=self._load_weights)
        return [f"LABEL_{i}" for i in range(self._task.num_classes)]

    def has(self, prefix: str) -> bool:
        return self._layer(prefix) is not None

    def read(self, prefix: str, parameter: tuple[str, str, bool], shape: Sequence[int]) -> np.ndarray:
        layer = self._layer(prefix)
        if layer is None:
            raise InputError("preset", f"{self.name}, a keras-hub preset without {prefix}", "a model that has it")
        value = np.asarray(layer.weights[1 if parameter[0] == "bias" else 0], np.float32)
        if value.size != math.prod(shape):
            got = f"{self.name} with {prefix} of shape {value.shape}"
            raise InputError("preset", got, f"{tuple(shape)}, as asked for")
        return value.reshape(shape)  # keras-hub's kernels differ only by an axis for heads

    def _layer(self, prefix: str):
        if prefix == "classifier":
            return self._task and self._task.output_dense
        if prefix.startswith("encoder.layer."):
            number, name = prefix.removeprefix("encoder.layer.").split(".", 1)
            blocks = self._backbone.transformer_layers[int(number) :]
            return operator.attrgetter(_BLOCK_LAYERS[name])(blocks[0]) if blocks else None
        return getattr(self._backbone, _LAYERS[prefix]) if prefix in _LAYERS else None

    def _from_preset(self, cls, **kwargs):
        try:
            return cls.from_preset(self.name, **kwargs)
        except Exception as error:  # kagglehub, keras-hub and requests each raise their own
            reason = " ".join(str(error).split())[:300]
            if "num_classes" in reason:
                got = f"{self.name}, which has no classes"
                raise InputError("preset", got, "a fine-tuned classifier, or labels for a new one") from None
            expected = f"a preset that keras-hub can load as {cls.__name__}"
            raise InputError("preset", f"{self.name} ({reason})", expected) from None
