"""BERT's encoder, which can return every intermediate result."""

import dataclasses
from collections.abc import Iterator

import keras
from keras import ops

from tinybert_tf.configs import INPUTS, KEPT_SHARE, MIXED_WITH, EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.layers import BertEmbeddings, TransformerBlock
from tinybert_tf.layers.activations import bert_initializer, get_activation
from tinybert_tf.layers.attention import additive_mask
from tinybert_tf.layers.relative_position import RelativePositionBias
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.presets.pretrained import DENSE, NORM, TABLE, NamedLayer, Pretrained
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.tokenizer import BertTokenizer


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertEncoder(keras.Model):
    """A BERT encoder that can return its pre-softmax attention scores, embedding output and every hidden state.

    Args:
        vocabulary_size: This and the following arguments are the fields of `EncoderConfig`, in keras-hub's names.
        tokenizer: A `BertTokenizer`, which is saved and loaded with the encoder; it may also be set later.

    Raises:
        InputError: The heads do not divide the width, or the activation is unknown.

    Example:

    >>> encoder = BertEncoder.from_preset("minilm_l6")
    >>> outputs = encoder(encoder.tokenizer(["A fine film."]), return_intermediates=True)
    >>> len(outputs["hidden_states"]), outputs["attention_scores"][0].shape
    (7, TensorShape([1, 12, 6, 6]))
    """

    architecture = "BertModel"
    pipeline_tag = "feature-extraction"

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        relative_position_buckets: int = 0,
        activation: str = "gelu",
        layer_norm_epsilon: float = 1e-12,
        dropout: float = 0.1,
        family: str = "bert",
        pooler_activation: str = "tanh",
        embedding_dim: int = 0,
        attention_dropout: float | None = None,
        tokenizer: BertTokenizer | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Layers ===
        common = {"layer_norm_epsilon": layer_norm_epsilon, "dropout": dropout, "dtype": self.dtype_policy}
        self.embeddings = BertEmbeddings(
            vocabulary_size,
            hidden_dim,
            max_sequence_length,
            num_segments,
            embedding_dim=embedding_dim,
            name="embeddings",
            **common,
        )
        self.blocks = [
            TransformerBlock(
                num_heads,
                intermediate_dim,
                activation,
                attention_dropout=attention_dropout,
                name=f"transformer_layer_{i}",
                **common,
            )
            for i in range(num_layers)
        ]
        self.position_bias = None
        if relative_position_buckets:
            self.position_bias = RelativePositionBias(
                relative_position_buckets, num_heads, max_sequence_length, dtype=self.dtype_policy, name="position_bias"
            )
        self.pooler = keras.layers.Dense(
            hidden_dim,
            activation=get_activation(pooler_activation),
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
            name="pooler",
        )

        # === Config ===
        self.config = EncoderConfig(
            num_layers=num_layers,
            hidden_dim=hidden_dim,
            num_heads=num_heads,
            intermediate_dim=intermediate_dim,
            vocabulary_size=vocabulary_size,
            max_sequence_length=max_sequence_length,
            num_segments=num_segments,
            relative_position_buckets=relative_position_buckets,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            dropout=dropout,
            family=family,
            pooler_activation=pooler_activation,
            embedding_dim=embedding_dim,
            attention_dropout=attention_dropout,
        )
        self.tokenizer = tokenizer
        self.build()

    @classmethod
    def from_shape(cls, config: EncoderConfig, **kwargs) -> "BertEncoder":
        """Returns an encoder of the given shape, with random weights; `dropout` is that of attention too."""
        if "dropout" in kwargs:
            kwargs = {"attention_dropout": None} | kwargs
        return cls(**(dataclasses.asdict(config) | kwargs))

    @classmethod
    def from_preset(cls, preset: str, **kwargs) -> "BertEncoder":
        """Loads an encoder and its tokenizer.

        Args:
            preset: A run directory, a local Hugging Face or keras-hub folder, a keras-hub preset
                ("bert_base_en_uncased", "kaggle://…"), "hf://USER/MODEL", or a packaged asset ("minilm_l6").
            **kwargs: Arguments of `BertEncoder`, such as `dropout` or `dtype`, which override what the preset says;
                `load_weights=False` for random weights.

        Raises:
            InputError: The name is unknown, or the model cannot be read.
        """
        return cls.from_pretrained(open_preset(preset, kwargs.get("load_weights", True)), **kwargs)

    @classmethod
    def from_pretrained(cls, source: Pretrained, load_weights: bool = True, **kwargs) -> "BertEncoder":
        """Builds an encoder from the parts of a saved model. If it has no pooler, the encoder's stays random.

        Args:
            source: Parts of the model, from `open_preset`.
            load_weights: False leaves all weights random.
            **kwargs: Arguments of `BertEncoder`, which override what the source says.

        Raises:
            InputError: The parts do not fit together.
        """
        if load_weights:
            source.has("pooler.dense")  # refuses files that cannot be read, before anything is built
        try:
            encoder = cls.from_shape(source.config, **{"tokenizer": source.tokenizer} | kwargs)
        except InputError as error:
            if error.argument == "preset":
                raise
            got = f"{source.config_source} with {error.argument} {error.got}"
            raise InputError("preset", got, error.expected) from None
        if load_weights:
            source.assign(encoder.named_layers(), optional=("pooler.dense",))
        return encoder

    def save_to_preset(self, folder, card: str | None = None) -> None:
        """Writes a standard Hugging Face BERT folder, which `from_preset`, transformers and keras-hub open.

        Args:
            folder: The folder, which is made if it does not exist.
            card: Text of its README.md; by default a short one, if there is none yet.

        Raises:
            InputError: `folder` is a file, or the model has no tokenizer.
            OSError: The folder cannot be written.
        """
        save_folder(self, folder, card)

    def hf_config(self) -> dict:
        """Returns what `config.json` says about this kind of model besides the shape, in BERT's names."""
        return {"architectures": [self.architecture]}

    def named_layers(self) -> Iterator[NamedLayer]:
        """Yields (Hugging Face's name, layer, its parameters) for every layer that holds weights."""
        tables = self.embeddings
        yield "embeddings.word_embeddings", tables.token_embedding, TABLE
        yield "embeddings.position_embeddings", tables.position_embedding, TABLE
        if tables.segment_embedding is not None:
            yield "embeddings.token_type_embeddings", tables.segment_embedding, TABLE
        if self.position_bias is not None:
            yield "encoder.relative_attention_bias", self.position_bias.table, TABLE
        yield "embeddings.LayerNorm", tables.layer_norm, NORM
        if tables.projection is not None:
            yield "embeddings_project", tables.projection, DENSE
        for i, block in enumerate(self.blocks):
            prefix, attention = f"encoder.layer.{i}", block.attention
            yield f"{prefix}.attention.self.query", attention.query_dense, DENSE
            yield f"{prefix}.attention.self.key", attention.key_dense, DENSE
            yield f"{prefix}.attention.self.value", attention.value_dense, DENSE
            yield f"{prefix}.attention.output.dense", attention.output_dense, DENSE
            yield f"{prefix}.attention.output.LayerNorm", block.attention_norm, NORM
            yield f"{prefix}.intermediate.dense", block.intermediate_dense, DENSE
            yield f"{prefix}.output.dense", block.output_dense, DENSE
            yield f"{prefix}.output.LayerNorm", block.output_norm, NORM
        yield "pooler.dense", self.pooler, DENSE

    def build(self, input_shape=None):
        if self.built:
            return
        hidden_shape = (None, None, self.config.hidden_dim)
        self.embeddings.build((None, None), (None, None))
        for block in self.blocks:
            block.build(hidden_shape)
        if self.position_bias is not None:
            self.position_bias.build()
        self.pooler.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, inputs, training=None, return_intermediates=False, num_layers=None, return_query_key_value=False):
        """Runs the encoder.

        Args:
            inputs: Dict of `token_ids`, `segment_ids` and `padding_mask`, each `[batch, length]`; for mixtures of texts
                also `mixed_with` `[batch]` and `kept_share` `[batch, length]`, see `distillation.mixup`.
            training: Whether dropout is on.
            return_intermediates: Whether to return every hidden state and attention score too.
            num_layers: Number of layers to compute, without a pooled output; by default all, with it.
            return_query_key_value: Whether to return the queries, keys and values of every layer too.

        Returns:
            A dict: `sequence_output` `[batch, length, hidden_dim]`; `pooled_output` `[batch, hidden_dim]`; with
            `return_intermediates` also `hidden_states`, a list of the embedding output and each layer's output
            `[batch, length, hidden_dim]`, and `attention_scores`, a list of `[batch, heads, query, key]`, scaled,
            before mask and softmax; with `return_query_key_value` also `query_key_value`, a list of
            `[batch, length, 3 · hidden_dim]`: the queries (not scaled), keys and values of all heads, side by side.

        Raises:
            ValueError: `num_layers` is not within the encoder, or the sequences are too long for it.
        """
        if num_layers is not None and not 0 <= num_layers <= self.config.num_layers:
            raise ValueError(f"num_layers: got {num_layers}; expected a number from 0 to {self.config.num_layers}")
        hidden = self.embeddings(inputs["token_ids"], inputs["segment_ids"], training=training)
        if MIXED_WITH in inputs:
            kept = ops.cast(inputs[KEPT_SHARE], hidden.dtype)[..., None]
            hidden = kept * hidden + (1 - kept) * ops.take(hidden, inputs[MIXED_WITH], axis=0)
        attention_mask = additive_mask(inputs["padding_mask"], hidden.dtype)
        position_bias = self.position_bias and self.position_bias(hidden)
        hidden_states, attention_scores, query_key_value = [hidden], [], []
        for block in self.blocks[:num_layers]:
            hidden, scores, *vectors = block(
                hidden, attention_mask, position_bias, training=training, return_query_key_value=return_query_key_value
            )
            hidden_states.append(hidden)
            attention_scores.append(scores)
            query_key_value += vectors
        outputs = {"sequence_output": hidden}
        if num_layers is None:
            outputs["pooled_output"] = self.pooler(hidden[:, 0])
        if return_intermediates:
            outputs |= {"hidden_states": hidden_states, "attention_scores": attention_scores}
        if return_query_key_value:
            outputs["query_key_value"] = query_key_value
        return outputs

    def compute_output_spec(
        self, inputs, training=None, return_intermediates=False, num_layers=None, return_query_key_value=False
    ):
        batch, length = inputs["token_ids"].shape
        config = self.config
        layers = config.num_layers if num_layers is None else num_layers

        def spec(*shape):
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        outputs = {"sequence_output": spec(batch, length, config.hidden_dim)}
        if num_layers is None:
            outputs["pooled_output"] = spec(batch, config.hidden_dim)
        if return_intermediates:
            hidden_states = [spec(batch, length, config.hidden_dim) for _ in range(layers + 1)]
            scores = [spec(batch, config.num_heads, length, length) for _ in range(layers)]
            outputs |= {"hidden_states": hidden_states, "attention_scores": scores}
        if return_query_key_value:
            outputs["query_key_value"] = [spec(batch, length, 3 * config.hidden_dim) for _ in range(layers)]
        return outputs

    def get_config(self):
        tokenizer = self.tokenizer and keras.saving.serialize_keras_object(self.tokenizer)
        return super().get_config() | dataclasses.asdict(self.config) | {"tokenizer": tokenizer}

    @classmethod
    def from_config(cls, config):
        tokenizer = config.get("tokenizer")
        if "family" not in config:  # in files written before there were families
            config = config | {"family": "mpnet" if config.get("relative_position_buckets") else "bert"}
        return cls(**config | {"tokenizer": tokenizer and keras.saving.deserialize_keras_object(tokenizer)})


def encoder_inputs(batch: int | None = None, length: int | None = None) -> dict:
    """Returns symbolic `keras.Input`s for the three tensors that encoders take."""
    return {name: keras.Input((length,), batch_size=batch, dtype="int32", name=name) for name in INPUTS}
