"""DistilBERT (arXiv 1910.01108): its names, translated to BERT's and back.

It is a BERT without segments and without a pooler. Its classifier's head begins with a layer of the pooler's shape,
`pre_classifier`, of ReLU and not of tanh; here that layer is the pooler.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.presets.content import FolderContent
from tinybert_tf.presets.families.bert import Bert, renamed

# Parts of names, BERT's and DistilBERT's; a name has one of each table at most.
_LAYERS = {"encoder.layer.": "transformer.layer."}
_PARTS = {
    "attention.self.query.": "attention.q_lin.",
    "attention.self.key.": "attention.k_lin.",
    "attention.self.value.": "attention.v_lin.",
    "attention.output.dense.": "attention.out_lin.",
    "attention.output.LayerNorm.": "sa_layer_norm.",
    "intermediate.dense.": "ffn.lin1.",
    "output.dense.": "ffn.lin2.",
    "output.LayerNorm.": "output_layer_norm.",
    "pooler.dense.": "pre_classifier.",
    "cls.predictions.transform.dense.": "vocab_transform.",
    "cls.predictions.transform.LayerNorm.": "vocab_layer_norm.",
    "cls.predictions.": "vocab_projector.",
}
_HEADS = ("pooler.", "cls.", "classifier.", "qa_outputs.")


class DistilBert(Bert):
    """How DistilBERTs are stored: other names in tensors and in `config.json`."""

    model_type = "distilbert"
    architectures: ClassVar[dict[str, str]] = {
        "BertModel": "DistilBertModel",
        "BertForSequenceClassification": "DistilBertForSequenceClassification",
        "BertForMaskedLM": "DistilBertForMaskedLM",
        "BertForQuestionAnswering": "DistilBertForQuestionAnswering",
    }
    sizes: ClassVar[dict[str, tuple[str, int | None]]] = {
        "num_layers": ("n_layers", None),
        "hidden_dim": ("dim", None),
        "num_heads": ("n_heads", None),
        "intermediate_dim": ("hidden_dim", None),
        "vocabulary_size": ("vocab_size", None),
        "max_sequence_length": ("max_position_embeddings", 512),
    }
    rates: ClassVar[dict[str, tuple[str, float | None]]] = {
        "dropout": ("dropout", 0.1),
        "attention_dropout": ("attention_dropout", None),
    }
    required: ClassVar[dict[str, Any]] = {"pruned_heads": {}, "quantization_config": None, "auto_map": None}
    same: ClassVar[dict[str, str]] = {}
    fixed: ClassVar[dict[str, Any]] = {
        "num_segments": 0,
        "relative_position_buckets": 0,
        "pooler_activation": "relu",
        "embedding_dim": 0,
        "layer_norm_epsilon": 1e-12,
    }
    activation_key, head_dropout_key = "activation", "seq_classif_dropout"

    def stored_names(self, name: str) -> Iterator[str]:
        yield _own_name(name)
        if not name.startswith(_HEADS):
            yield f"{self.model_type}.{_own_name(name)}"

    def content(self, content: FolderContent, config: EncoderConfig) -> FolderContent:
        tensors = {}
        for name, tensor in content.tensors.items():
            plain = name.removeprefix("bert.")
            if not plain.startswith(_HEADS):
                tensors[name.removesuffix(plain).replace("bert.", "distilbert.") + _own_name(plain)] = tensor
            elif not name.startswith("pooler."):  # an encoder alone has no pooler
                tensors[_own_name(plain)] = tensor
        tokenizer_config = content.tokenizer_config | {"tokenizer_class": "DistilBertTokenizer"}
        return dataclasses.replace(
            content,
            tensors=tensors,
            config=self._config(content.config, config),
            tokenizer_config=tokenizer_config,
        )

    def _config(self, content: dict, config: EncoderConfig) -> dict:
        kept = ("id2label", "label2id", "problem_type", "null_threshold")
        kept += ("pad_token_id", "initializer_range", "torch_dtype")
        sizes = {theirs: getattr(config, ours) for ours, (theirs, _) in (self.sizes | self.rates).items()}
        return {
            "architectures": [self.architectures[name] for name in content["architectures"]],
            "model_type": self.model_type,
            **sizes,
            "activation": config.activation,
            "attention_dropout": config.attention_rate,
            "seq_classif_dropout": content.get("classifier_dropout", 0.2),
            "sinusoidal_pos_embds": False,
            "tie_weights_": True,
            **{key: content[key] for key in kept if key in content},
        }


def _own_name(name: str) -> str:
    return renamed(renamed(name, _LAYERS), _PARTS)
