"""The phone graph: a model in plain TensorFlow ops, for one text at a time, shaped for LiteRT's CPU kernels.

It computes what the model computes, and nothing that the answer does not need: a classifier's last layer only at [CLS],
attention masked by one addition, no reshapes around matrix products. Weights are constants, so that no converter can
leave them outside its file.
"""

import numpy as np
import tensorflow as tf

from tinybert_tf.configs import INPUTS
from tinybert_tf.layers.activations import get_activation
from tinybert_tf.layers.attention import MASKED_SCORE
from tinybert_tf.layers.relative_position import buckets_of
from tinybert_tf.layers.transformer_block import TransformerBlock
from tinybert_tf.models import BertClassifier, BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START
from tinybert_tf.tflite.product_quantization import POINTS, ProductQuantizedTable

TOKEN_LOOKUP = "token_lookup"  # name of the op that reads the token table
PROBABILITIES, SCORE = "probabilities", "score"


def output_name(classifier: BertClassifier) -> str:
    """Returns the name of the graph's output: "probabilities", or "score" for regression."""
    return SCORE if len(classifier.labels) == 1 else PROBABILITIES


class PhoneGraph:
    """A classifier as a function of `[1, length]` tensors, `serve`.

    It is no `tf.Module`: a SavedModel of one would hold the classifier's variables beside the constants.

    Args:
        classifier: A BERT with its head.
        sequence_length: Most tokens that the graph looks at; it cuts a longer row before its last token.
        fixed: Whether the graph takes exactly `sequence_length` tokens, padding included, instead of any number.
        table: What the graph reads in place of the token table.
    """

    def __init__(
        self,
        classifier: BertClassifier,
        sequence_length: int,
        fixed: bool = False,
        table: ProductQuantizedTable | None = None,
    ):
        self.classifier, self.encoder, self.sequence_length = classifier, classifier.encoder, sequence_length
        self.table = table
        length = sequence_length if fixed else None
        spec = {name: tf.TensorSpec([1, length], tf.int32, name=name) for name in INPUTS}
        self.serve = tf.function(self._call, input_signature=[spec[name] for name in INPUTS], autograph=False)

    def _call(self, token_ids, segment_ids, padding_mask):
        """Returns the answer to one text by the outputs' names, such as probabilities `[1, classes]`."""
        encoder = self.encoder
        token_ids, segment_ids, padding_mask = map(self._cut, (token_ids, segment_ids, padding_mask))
        hidden = self._embed(token_ids, segment_ids)  # [length, hidden_dim]
        mask = (1.0 - tf.cast(padding_mask, tf.float32)) * MASKED_SCORE  # [key]
        bias = mask
        if encoder.position_bias is not None:
            bias = mask + self._position_bias(tf.size(token_ids))  # [heads, query, key]
        for block in encoder.blocks[:-1]:
            hidden = _transform(block, hidden, hidden, bias)
        return self._answer(encoder.blocks[-1], hidden, bias, mask)

    def _answer(self, last, hidden, bias, mask):
        """Returns the outputs by name.

        Args:
            last: The last layer.
            hidden: What goes into it, `[length, hidden_dim]`.
            bias: What is added to its scores: `[key]`, or `[heads, query, key]` where there are relative positions.
            mask: 0 for a token, `MASKED_SCORE` for padding, `[key]`.
        """
        first_bias = bias if bias is mask else bias[:, :1]
        first = _transform(last, hidden[:1], hidden, first_bias)  # [1, hidden_dim]
        pooled = get_activation(self.encoder.config.pooler_activation)(_dense(self.encoder.pooler, first))
        logits = _dense(self.classifier.classifier, pooled)
        if len(self.classifier.labels) == 1:
            return {SCORE: logits}
        return {PROBABILITIES: tf.sigmoid(logits) if self.classifier.multi_label else tf.nn.softmax(logits)}

    def _cut(self, ids):
        """Cuts `[1, any]` to `[length]`: the first tokens and the last one, [SEP], as tokenizers cut a text.

        LiteRT lets callers resize inputs to several rows, whatever the signature says. CONCATENATION with a column of
        one row refuses them.
        """
        length = tf.minimum(tf.shape(ids)[1], self.sequence_length)
        ids = tf.concat([ids, tf.zeros([1, 1], tf.int32)], 1)
        return tf.concat([ids[0, : length - 1], ids[0, -2:-1]], 0)

    def _embed(self, token_ids, segment_ids):
        embeddings = self.encoder.embeddings
        positions = _constant(embeddings.position_embedding.embeddings)[: self.sequence_length]
        if self.table is None:
            tokens = tf.gather(_constant(embeddings.token_embedding.embeddings), token_ids, name=TOKEN_LOOKUP)
        else:
            tokens = _look_up(self.table, token_ids)
        positions = tf.gather(positions, tf.range(tf.shape(token_ids)[0]))
        if embeddings.segment_embedding is not None:
            tokens += tf.gather(_constant(embeddings.segment_embedding.embeddings), segment_ids)
        embedded = _layer_norm(embeddings.layer_norm, tokens + positions)
        return embedded if embeddings.projection is None else _dense(embeddings.projection, embedded)

    def _position_bias(self, length):
        """Returns MPNet's bias, `[heads, query, key]`, looked up by distance: there are fewer distances than pairs."""
        layer = self.encoder.position_bias
        longest = self.sequence_length
        buckets = buckets_of(np.arange(1 - longest, longest), layer.num_buckets)
        by_distance = _constant(layer.table.embeddings, of=buckets)  # [distance, heads]
        places = tf.range(length)
        distances = tf.reshape(places[None] - places[:, None] + longest - 1, [-1])
        bias = tf.gather(by_distance, distances)  # [query · key, heads]
        return tf.reshape(tf.transpose(bias), (layer.num_heads, length, length))


class SpanGraph(PhoneGraph):
    """A question answerer likewise; it returns `start_logits` and `end_logits`, `[1, length]`."""

    def _answer(self, last, hidden, bias, mask):
        logits = _dense(self.classifier.qa_outputs, _transform(last, hidden, hidden, bias))  # [length, 2]
        starts, ends = tf.split(tf.transpose(logits) + mask, 2)
        return {START: starts, END: ends}


class PaddedSpanGraph(SpanGraph):
    """A question answerer whose outputs are `[1, sequence_length]` for rows of any length.

    LiteRT.js makes room for outputs before it resizes the inputs, and then writes longer ones beyond that room.
    """

    def _answer(self, *args):
        return {name: self._padded(logits) for name, logits in super()._answer(*args).items()}

    def _padded(self, logits):
        length = self.sequence_length
        logits = tf.concat([logits, tf.fill([1, length], MASKED_SCORE)], 1)
        return tf.reshape(logits[:, :length], [1, length])  # a length that the file declares


def outputs_of(model: BertClassifier | BertQuestionAnswerer) -> list[str]:
    """Returns the names of the outputs of a model's graph."""
    return [START, END] if isinstance(model, BertQuestionAnswerer) else [output_name(model)]


def graph_of(
    model: BertClassifier | BertQuestionAnswerer,
    sequence_length: int,
    fixed: bool = False,
    padded: bool = False,
    table: ProductQuantizedTable | None = None,
) -> PhoneGraph:
    """Returns the graph of a model's kind.

    Args:
        model: A BERT with its head.
        sequence_length: Most tokens that the graph looks at.
        fixed: Whether it takes exactly so many tokens.
        padded: Whether a question answerer always returns so many logits.
        table: What the graph reads in place of the token table.
    """
    if not isinstance(model, BertQuestionAnswerer):
        return PhoneGraph(model, sequence_length, fixed, table)
    return (PaddedSpanGraph if padded else SpanGraph)(model, sequence_length, fixed, table)


def _look_up(table: ProductQuantizedTable, token_ids):
    """Returns the rows of a product-quantized table, `[length, dim]`."""
    groups, _, group = table.points.shape
    codes = tf.cast(tf.gather(table.codes, token_ids), tf.int32) + POINTS * np.arange(groups, dtype=np.int32)
    points = tf.gather(table.points.reshape(-1, group), codes)  # [length, groups, group]
    near = tf.matmul(tf.reshape(points, (-1, groups * group)), table.axes) + table.mean
    return near + tf.gather(table.rows, tf.gather(table.places, token_ids))


def _transform(block: TransformerBlock, queries, hidden, bias):
    """Returns a layer's outputs at the places of `queries`, `[queries, hidden_dim]`; `bias` is added to its scores."""
    attention = block.attention
    if queries is hidden:
        query, key, value = _heads(attention, hidden, attention.query_dense, attention.key_dense, attention.value_dense)
    else:
        (query,) = _heads(attention, queries, attention.query_dense)
        key, value = _heads(attention, hidden, attention.key_dense, attention.value_dense)
    probabilities = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + bias)  # [heads, queries, key]
    context = tf.transpose(tf.matmul(probabilities, value), (1, 0, 2))
    context = tf.reshape(context, (-1, attention.num_heads * attention.head_dim))
    attended = _layer_norm(block.attention_norm, queries + _dense(attention.output_dense, context))
    expanded = get_activation(block.activation)(_dense(block.intermediate_dense, attended))
    return _layer_norm(block.output_norm, attended + _dense(block.output_dense, expanded))


def _heads(attention, x, *layers) -> list:
    """Returns the layers' outputs, each `[heads, length, head_dim]`: one product, which quantizes `x` once.

    The weights of queries hold the scale of the scores.
    """
    scales = [attention.head_dim**-0.5 if layer is attention.query_dense else 1.0 for layer in layers]
    kernels = [_value(layer.kernel, scale) for layer, scale in zip(layers, scales)]
    biases = [_value(layer.bias, scale) for layer, scale in zip(layers, scales)]
    outputs = tf.matmul(x, np.concatenate(kernels, axis=1)) + np.concatenate(biases)
    outputs = tf.reshape(outputs, (-1, len(layers) * attention.num_heads, attention.head_dim))
    return tf.split(tf.transpose(outputs, (1, 0, 2)), len(layers))


def _dense(layer, x):
    return tf.matmul(x, _constant(layer.kernel)) + _constant(layer.bias)


def _layer_norm(layer, x):
    centered = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), -1, keepdims=True)
    return centered * tf.math.rsqrt(variance + layer.epsilon) * _constant(layer.gamma) + _constant(layer.beta)


def _constant(weight, of: np.ndarray | slice = slice(None)):
    return tf.constant(_value(weight)[of])


def _value(weight, scale: float = 1.0) -> np.ndarray:
    with tf.init_scope():  # outside the graph that is being traced, where a variable has a value
        return np.asarray(weight, np.float32) * np.float32(scale)
