"""From the name of a model to a model.

A name may be a run directory, a local Hugging Face or keras-hub folder, a keras-hub preset
(`bert_base_en_uncased`, `kaggle://…`), `hf://user/model`, or a packaged asset (`minilm_l6`).
"""

from pathlib import Path

from tinybert_tf import assets
from tinybert_tf.errors import InputError
from tinybert_tf.models.checkpoints import load_classifier_folder, load_folder, read_json
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.tokenizer import BertTokenizer

_HF_FILES = ("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json")


def resolve_folder(preset: str, argument: str = "preset") -> Path | None:
    """Returns the local Hugging Face folder behind a name, fetching it if need be; None for a keras-hub preset."""
    if preset in assets.MODELS:
        return assets.fetch(preset)
    if preset.startswith("hf://"):
        return _download(preset.removeprefix("hf://"), argument)
    folder = Path(preset)
    if (folder / "model" / "config.json").is_file():
        folder = folder / "model"
    if (folder / "config.json").is_file():
        return None if "registered_name" in read_json(folder / "config.json", argument) else folder
    if folder.exists() or preset.startswith((".", "/", "~")) or preset.count("/") > 1:
        raise InputError(argument, preset, "a folder with config.json and model.safetensors, or a run directory")
    return None


def _download(repository: str, argument: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=_HF_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(argument, f"hf://{repository} ({reason})", "a repository that can be reached") from None


def load_encoder(preset: str, argument: str = "preset", **kwargs) -> BertEncoder:
    """Loads an encoder and its tokenizer from any kind of name.

    Raises:
        InputError: the name is unknown, or what it names cannot be read.
    """
    folder = resolve_folder(str(preset), argument)
    if folder is not None:
        return load_folder(folder, argument, **kwargs)
    return _from_keras_hub(str(preset), argument, **kwargs)


def load_classifier(preset: str, labels=None, argument: str = "preset", **kwargs) -> BertClassifier:
    """Loads a classifier; with `labels`, an encoder under a new head."""
    if labels is not None:
        return BertClassifier(load_encoder(preset, argument, **kwargs), labels)
    folder = resolve_folder(str(preset), argument)
    if folder is None or "id2label" not in read_json(folder / "config.json", argument):
        raise InputError(
            argument, f"{preset}, which has no classes", "a fine-tuned classifier, or labels for a new one"
        )
    return load_classifier_folder(folder, argument, **kwargs)


def _from_keras_hub(preset: str, argument: str, **kwargs) -> BertEncoder:
    """Copies the weights of a keras-hub `BertBackbone`, which computes GELU in its tanh form."""
    import keras_hub

    try:
        backbone = keras_hub.models.BertBackbone.from_preset(preset)
        tokenizer = keras_hub.models.BertTokenizer.from_preset(preset)
    except Exception as error:  # kagglehub, keras-hub and requests each raise their own kinds
        reason = str(error).strip().split("\n")[0][:200]
        known = ", ".join(assets.MODELS)
        raise InputError(
            argument,
            f"{preset} ({reason})",
            f"a run directory, a model folder, a keras-hub preset, hf://USER/MODEL, or one of: {known}",
        ) from None
    encoder = BertEncoder(
        vocabulary_size=backbone.vocabulary_size,
        num_layers=backbone.num_layers,
        num_heads=backbone.num_heads,
        hidden_dim=backbone.hidden_dim,
        intermediate_dim=backbone.intermediate_dim,
        max_sequence_length=backbone.max_sequence_length,
        num_segments=backbone.num_segments,
        activation="gelu_new",
        dropout=backbone.dropout,
        **kwargs,
    )
    for ours, theirs in _keras_hub_variables(encoder, backbone):
        ours.assign(theirs.numpy().reshape(ours.shape))
    encoder.tokenizer = BertTokenizer(
        tokenizer.get_vocabulary(), lowercase=tokenizer.lowercase, sequence_length=backbone.max_sequence_length
    )
    return encoder


def _keras_hub_variables(encoder: BertEncoder, backbone):
    """Yields (our variable, keras-hub's) for every weight; keras-hub's per-head kernels only differ in shape."""
    tables = encoder.embeddings
    yield tables.token_embedding.embeddings, backbone.token_embedding.embeddings
    yield tables.position_embedding.embeddings, backbone.position_embedding.position_embeddings
    yield tables.segment_embedding.embeddings, backbone.segment_embedding.embeddings
    pairs = [(tables.layer_norm, backbone.embeddings_layer_norm), (encoder.pooler, backbone.pooled_dense)]
    for block, theirs in zip(encoder.blocks, backbone.transformer_layers):
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
