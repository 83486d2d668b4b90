"""ELECTRA (arXiv 2003.10555): its names and sizes, translated to BERT's and back.

It is a BERT whose tables may be narrower than its layers, with a projection behind them, and without a pooler. Its
classifier's head begins with a layer of the pooler's shape, of GELU and not of tanh; here that layer is the pooler.
The discriminator is the encoder to take; the generator is a masked LM.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.presets.content import FolderContent
from tinybert_tf.presets.families.bert import Bert

# Beginnings of names in heads, BERT's and ELECTRA's.
_HEADS = {
    "pooler.dense.": "classifier.dense.",
    "classifier.": "classifier.out_proj.",
    "cls.predictions.transform.dense.": "generator_predictions.dense.",
    "cls.predictions.transform.LayerNorm.": "generator_predictions.LayerNorm.",
    "cls.predictions.": "generator_lm_head.",
}


class Electra(Bert):
    """How ELECTRAs are stored: tables of their own width, other names in heads."""

    model_type = "electra"
    architectures: ClassVar[dict[str, str]] = {
        "BertModel": "ElectraModel",
        "BertForSequenceClassification": "ElectraForSequenceClassification",
        "BertForMaskedLM": "ElectraForMaskedLM",
        "BertForQuestionAnswering": "ElectraForQuestionAnswering",
    }
    sizes: ClassVar[dict[str, tuple[str, int | None]]] = Bert.sizes | {"embedding_dim": ("embedding_size", 128)}
    # Heads have GELU whatever `hidden_act` is; here they have the encoder's activation.
    required: ClassVar[dict[str, Any]] = Bert.required | {"hidden_act": "gelu"}
    same: ClassVar[dict[str, str]] = {}
    fixed: ClassVar[dict[str, Any]] = {
        "relative_position_buckets": 0,
        "pooler_activation": "gelu",
        "activation": "gelu",
    }

    def encoder_config(self, content: dict, file: Path) -> EncoderConfig:
        config = super().encoder_config(content, file)
        return dataclasses.replace(config, embedding_dim=0) if config.embedding_dim == config.hidden_dim else config

    def stored_names(self, name: str) -> Iterator[str]:
        head = _head_name(name)
        yield head or name
        if head is None:
            yield f"{self.model_type}.{name}"

    def content(self, content: FolderContent, config: EncoderConfig) -> FolderContent:
        tensors = {}
        for name, tensor in content.tensors.items():
            head = _head_name(name.removeprefix("bert."))
            if not name.startswith("pooler."):  # an encoder alone has no pooler
                tensors[head or name.replace("bert.", "electra.", 1)] = tensor
        own = {
            "architectures": [self.architectures[name] for name in content.config["architectures"]],
            "model_type": self.model_type,
            "embedding_size": config.embedding_dim or config.hidden_dim,
        }
        tokenizer_config = content.tokenizer_config | {"tokenizer_class": "ElectraTokenizer"}
        return dataclasses.replace(
            content, tensors=tensors, config=content.config | own, tokenizer_config=tokenizer_config
        )


def _head_name(name: str) -> str | None:
    """Returns ELECTRA's name of a tensor in a head; None for one in the encoder."""
    for ours, theirs in _HEADS.items():
        if name.startswith(ours):
            return name.replace(ours, theirs, 1)
    return None
