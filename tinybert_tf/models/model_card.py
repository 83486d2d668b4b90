"""The model card that a saved folder gets where nobody wrote a better one."""

from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM

_TEMPLATE = """---
library_name: transformers
pipeline_tag: {task}
---

# {name}

A BERT of {config.num_layers} layers, {config.hidden_dim} wide, {config.num_heads} heads, feed-forward width
{config.intermediate_dim}: {parameters:,} parameters. The vocabulary has {config.vocabulary_size:,} {casing} WordPieces.
{labels}
Open it with `tinybert_tf.models.{kind}.from_preset(folder)`, or with Hugging Face transformers.
"""


def model_card(model: BertEncoder | BertClassifier | BertMaskedLM, name: str) -> str:
    """Returns the text of a README.md: sizes, vocabulary and labels."""
    is_classifier = isinstance(model, BertClassifier)
    task = {BertClassifier: "text-classification", BertMaskedLM: "fill-mask"}.get(type(model), "feature-extraction")
    return _TEMPLATE.format(
        task=task,
        name=name,
        config=model.config,
        parameters=model.count_params(),
        casing="uncased" if model.tokenizer.lowercase else "cased",
        labels=f"\nLabels, in the order of the logits: {', '.join(model.labels)}.\n" if is_classifier else "",
        kind=type(model).__name__,
    )
