"""keras-hub presets: names, `kaggle://…` and folders that keras-hub's own `save_to_preset` wrote."""

from tinybert_tf.errors import InputError
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.tokenizer.tokenizer import BertTokenizer


def preset_names() -> list[str]:
    """Returns the names that keras-hub knows a BERT by."""
    import keras_hub

    return list(keras_hub.models.BertBackbone.presets)


def load_encoder(preset: str, argument: str, load_weights: bool = True, **kwargs) -> BertEncoder:
    """Copies a `BertBackbone` and its `BertTokenizer`.

    Raises:
        InputError: keras-hub cannot load it.
    """
    import keras_hub

    backbone = _from_preset(keras_hub.models.BertBackbone, preset, argument, load_weights=load_weights)
    tokenizer = _from_preset(keras_hub.models.BertTokenizer, preset, argument)
    return _convert_encoder(backbone, tokenizer, load_weights, **kwargs)


def load_classifier(preset: str, argument: str, load_weights: bool = True, **kwargs) -> BertClassifier:
    """Copies a `BertTextClassifier`, which knows no names of labels: they become LABEL_0, LABEL_1 and so on.

    Raises:
        InputError: keras-hub cannot load it, or it has no classes.
    """
    import keras_hub

    task = _from_preset(keras_hub.models.BertTextClassifier, preset, argument, load_weights=load_weights)
    tokenizer = _from_preset(keras_hub.models.BertTokenizer, preset, argument)
    encoder = _convert_encoder(task.backbone, tokenizer, load_weights, **kwargs)
    classifier = BertClassifier(encoder, [f"LABEL_{i}" for i in range(task.num_classes)], dropout=task.dropout)
    if load_weights:
        classifier.classifier.set_weights(task.output_dense.get_weights())
    return classifier


def _from_preset(cls, preset: str, argument: str, **kwargs):
    try:
        return cls.from_preset(preset, **kwargs)
    except Exception as error:  # kagglehub, keras-hub and requests each raise their own kinds
        reason = " ".join(str(error).split())[:300]
        if "num_classes" in reason:
            got, expected = f"{preset}, which has no classes", "a fine-tuned classifier, or labels for a new one"
        else:
            got, expected = f"{preset} ({reason})", f"a preset that keras-hub can load as {cls.__name__}"
        raise InputError(argument, got, expected) from None


def _convert_encoder(backbone, tokenizer, load_weights: bool, **kwargs) -> BertEncoder:
    """Our encoder with a backbone's weights; keras-hub computes GELU in its tanh form."""
    shape = {
        "vocabulary_size": backbone.vocabulary_size,
        "num_layers": backbone.num_layers,
        "num_heads": backbone.num_heads,
        "hidden_dim": backbone.hidden_dim,
        "intermediate_dim": backbone.intermediate_dim,
        "max_sequence_length": backbone.max_sequence_length,
        "num_segments": backbone.num_segments,
        "activation": "gelu_new",
        "dropout": backbone.dropout,
        "tokenizer": BertTokenizer(
            tokenizer.get_vocabulary(), lowercase=tokenizer.lowercase, sequence_length=backbone.max_sequence_length
        ),
    }
    encoder = BertEncoder(**(shape | kwargs))
    if load_weights:
        for ours, theirs in _variables(encoder, backbone):
            ours.assign(theirs.numpy().reshape(ours.shape))
    return encoder


def _variables(encoder: BertEncoder, backbone):
    """Yields (our variable, keras-hub's) for every weight; keras-hub's per-head kernels only differ in shape."""
    tables = encoder.embeddings
    yield tables.token_embedding.embeddings, backbone.token_embedding.embeddings
    yield tables.position_embedding.embeddings, backbone.position_embedding.position_embeddings
    yield tables.segment_embedding.embeddings, backbone.segment_embedding.embeddings
    pairs = [(tables.layer_norm, backbone.embeddings_layer_norm), (encoder.pooler, backbone.pooled_dense)]
    for block, theirs in zip(encoder.blocks, backbone.transformer_layers, strict=True):
        attention = theirs._self_attention_layer
        pairs += [
            (block.attention.query_dense, attention.query_dense),
            (block.attention.key_dense, attention.key_dense),
            (block.attention.value_dense, attention.value_dense),
            (block.attention.output_dense, attention.output_dense),
            (block.attention_norm, theirs._self_attention_layer_norm),
            (block.intermediate_dense, theirs._feedforward_intermediate_dense),
            (block.output_dense, theirs._feedforward_output_dense),
            (block.output_norm, theirs._feedforward_layer_norm),
        ]
    for ours, theirs in pairs:
        # A layer's weights come in one order, kernel and bias or gamma and beta, here as there.
        yield from zip(ours.weights, theirs.weights, strict=True)
