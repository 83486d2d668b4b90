"""What models with a head on a `BertEncoder` share; a new head is one file beside this one."""

import abc
from collections.abc import Iterator

import keras
from keras import ops

from tinybert_tf.models.base import TrainedModel
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.presets.pretrained import NamedLayer


class ModelWithHead(TrainedModel, abc.ABC):
    """A model that has an `encoder`, and on it layers of its own: it is loaded and saved with the encoder's tokenizer.

    Attributes:
        architecture: Name of this kind of model at Hugging Face, in BERT's names.
        pipeline_tag: Name of its use at Hugging Face.
        uses_pooler: Whether the head reads the pooled output. If not, the pooler is neither trained nor saved.
    """

    architecture: str
    pipeline_tag: str
    uses_pooler = True

    @property
    def config(self):
        """The encoder's shape."""
        return self.encoder.config

    @property
    def tokenizer(self):
        """The encoder's tokenizer, or None."""
        return self.encoder.tokenizer

    @abc.abstractmethod
    def head_layers(self) -> Iterator[NamedLayer]:
        """Yields the layers of the head, like `BertEncoder.named_layers`."""

    def named_layers(self) -> Iterator[NamedLayer]:
        """Yields the layers of the whole model, like `BertEncoder.named_layers`."""
        for prefix, layer, kind in self.encoder.named_layers():
            if self.uses_pooler or layer is not self.encoder.pooler:
                yield f"bert.{prefix}", layer, kind
        yield from self.head_layers()

    def clear_unused_pooler(self) -> None:
        """Sets a pooler that has no part in the model to 0; in most folders it is missing, and so is random here."""
        for variable in () if self.uses_pooler else self.encoder.pooler.weights:
            variable.assign(ops.zeros(variable.shape))

    @property
    def trainable_weights(self):
        """All weights except those of a pooler that has no part in the model."""
        unused = set() if self.uses_pooler else {id(variable) for variable in self.encoder.pooler.variables}
        return [variable for variable in super().trainable_weights if id(variable) not in unused]

    @property
    def trainable_variables(self):
        """The trainable weights."""
        return super().trainable_variables if self.uses_pooler else self.trainable_weights

    def hf_config(self) -> dict:
        """Returns what `config.json` says about this kind of model besides the shape, in BERT's names."""
        return {"architectures": [self.architecture]}

    def save_to_preset(self, folder, card: str | None = None) -> None:
        """Writes a standard Hugging Face folder of the whole model; `from_preset` needs nothing else.

        Arguments and errors are those of `BertEncoder.save_to_preset`.
        """
        save_folder(self, folder, card)

    def get_config(self):
        return super().get_config() | {"encoder": keras.saving.serialize_keras_object(self.encoder)}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": keras.saving.deserialize_keras_object(config["encoder"])})
