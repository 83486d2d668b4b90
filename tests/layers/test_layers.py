import operator

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import randomize
from tests.reference import bert_numpy
from tests.tolerance import assert_close
from tinybert_tf.errors import InputError
from tinybert_tf.layers import BertEmbeddings, MultiHeadSelfAttention, TransformerBlock
from tinybert_tf.layers.activations import ACTIVATIONS, get_activation
from tinybert_tf.layers.attention import additive_mask
from tinybert_tf.layers.embeddings import DenseGradientEmbedding

RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(2, 5, 12)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def built(layer, *arguments):
    layer(*arguments)
    randomize(layer)
    return layer


def test_gelu_forms():
    x = np.linspace(-5, 5, 101, dtype="float32")
    assert_close(get_activation("gelu")(x), bert_numpy.gelu_exact(x))
    assert_close(get_activation("gelu_new")(x), bert_numpy.gelu_tanh(x))
    assert np.abs(bert_numpy.gelu_exact(x) - bert_numpy.gelu_tanh(x)).max() > 1e-4


@pytest.mark.parametrize("name", ["mish2", "GELU", ""])
def test_unknown_activation(name):
    with pytest.raises(InputError, match=f"activation: got '{name}'; expected one of {', '.join(ACTIVATIONS)}"):
        get_activation(name)


def test_scores_are_scaled_and_before_mask_and_softmax():
    layer = built(MultiHeadSelfAttention(3), HIDDEN)
    weights = {w.path.split("/", 1)[1]: w.numpy() for w in layer.weights}
    query = (HIDDEN @ weights["query/kernel"] + weights["query/bias"]).reshape(2, 5, 3, 4).transpose(0, 2, 1, 3)
    key = (HIDDEN @ weights["key/kernel"] + weights["key/bias"]).reshape(2, 5, 3, 4).transpose(0, 2, 1, 3)
    _, scores = layer(HIDDEN, attention_mask=additive_mask(MASK, "float32"))
    assert_close(scores, query @ key.transpose(0, 1, 3, 2) / 2.0)


@pytest.mark.parametrize("kind", [MultiHeadSelfAttention, TransformerBlock])
def test_queries_keys_and_values_when_asked(kind):
    layer = built(kind(3) if kind is MultiHeadSelfAttention else kind(3, 20), HIDDEN)
    mask = additive_mask(MASK, "float32")
    *outputs, vectors = layer(HIDDEN, attention_mask=mask, return_query_key_value=True)
    for ours, theirs in zip(outputs, layer(HIDDEN, attention_mask=mask), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    attention = getattr(layer, "attention", layer)
    expected = [dense(HIDDEN) for dense in (attention.query_dense, attention.key_dense, attention.value_dense)]
    np.testing.assert_array_equal(vectors, np.concatenate(expected, axis=-1))
    symbolic = layer(keras.KerasTensor(HIDDEN.shape), return_query_key_value=True)
    assert [tuple(t.shape) for t in symbolic] == [tuple(t.shape) for t in (*outputs, vectors)]


def test_masked_keys_have_no_say():
    layer = built(MultiHeadSelfAttention(3), HIDDEN)
    mask = additive_mask(MASK, "float32")
    changed = HIDDEN.copy()
    changed[1, 3:] = 7.0
    outputs, others = layer(HIDDEN, attention_mask=mask)[0], layer(changed, attention_mask=mask)[0]
    np.testing.assert_array_equal(outputs[1, :3], others[1, :3])
    assert np.abs(outputs[1, 3:] - others[1, 3:]).max() > 0.1
    assert np.abs(layer(HIDDEN)[0] - outputs)[1].max() > 0.01


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_mask_is_finite_and_leaves_nothing(dtype):
    mask = np.asarray(additive_mask(MASK, dtype), "float32")
    assert mask.shape == (2, 1, 1, 5) and np.isfinite(mask).all()
    np.testing.assert_array_equal(mask[:, 0, 0] == 0, MASK == 1)
    assert (np.exp(mask[1, 0, 0, 3:] + 100.0) == 0).all()


def test_a_row_of_padding_alone_is_finite():
    layer = built(MultiHeadSelfAttention(3), HIDDEN)
    outputs, _ = layer(HIDDEN, attention_mask=additive_mask(0 * MASK, "float32"))
    assert np.isfinite(outputs).all()


def test_heads_must_divide_the_width():
    with pytest.raises(InputError, match="num_heads: got 5; expected a divisor of the width 12"):
        MultiHeadSelfAttention(5).build((None, None, 12))


def test_embeddings_are_a_sum_of_three():
    layer = BertEmbeddings(10, 12, max_sequence_length=8)
    layer.build()
    randomize(layer)
    tokens, segments = np.array([[2, 5, 9, 0]]), np.array([[0, 0, 1, 1]])
    token, position, segment = (
        t.embeddings.numpy() for t in (layer.token_embedding, layer.position_embedding, layer.segment_embedding)
    )
    expected = bert_numpy.layer_norm(
        token[tokens] + position[:4] + segment[segments],
        layer.layer_norm.gamma.numpy(),
        layer.layer_norm.beta.numpy(),
        1e-12,
    )
    assert_close(layer(tokens, segments), expected)


@pytest.mark.parametrize("silent", [("attention.output_dense",), ("attention.value_dense", "output_dense")])
def test_block_drops_out_both_sublayers_only_while_training(silent):
    """With one sub-layer silenced, all that changes while training is the other's dropout."""
    layer = built(TransformerBlock(3, 20, dropout=0.5), HIDDEN)
    for path in silent:
        dense = operator.attrgetter(path)(layer)
        for variable in (dense.kernel, dense.bias):
            variable.assign(0.0 * variable)
    np.testing.assert_array_equal(layer(HIDDEN)[0], layer(HIDDEN, training=False)[0])
    assert np.abs(layer(HIDDEN)[0] - layer(HIDDEN, training=True)[0]).max() > 0.01


def test_attention_drops_out_probabilities_but_not_scores():
    layer = built(MultiHeadSelfAttention(3, dropout=0.5), HIDDEN)
    (still, scores), (trained, trained_scores) = layer(HIDDEN), layer(HIDDEN, training=True)
    np.testing.assert_array_equal(scores, trained_scores)
    assert np.abs(still - trained).max() > 0.01


def test_embeddings_drop_out_only_while_training():
    layer, ids = BertEmbeddings(10, 12, dropout=0.5), np.array([[1, 2, 3]])
    np.testing.assert_array_equal(layer(ids, 0 * ids), layer(ids, 0 * ids, training=False))
    assert (np.asarray(layer(ids, 0 * ids, training=True)) == 0).any()


LAYERS = [
    (MultiHeadSelfAttention(3, dropout=0.2, name="attention"), [(None, 12)]),
    (TransformerBlock(3, 20, "gelu_new", 1e-5, 0.2, name="block"), [(None, 12)]),
    (BertEmbeddings(10, 12, 8, 3, 1e-5, 0.2, name="embeddings"), [(None,), (None,)]),
    (DenseGradientEmbedding(10, 12, name="table"), [(None,)]),
]


@pytest.mark.parametrize(("layer", "shapes"), LAYERS, ids=lambda x: getattr(x, "name", ""))
def test_keras_file(layer, shapes, tmp_path):
    is_table = len(shapes[0]) == 1
    inputs = [keras.Input(shape, dtype="int32" if is_table else "float32") for shape in shapes]
    model = keras.Model(inputs, layer(*inputs))
    randomize(layer)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    copy = loaded.get_layer(layer.name)
    assert type(copy) is type(layer) and copy.get_config() == layer.get_config()
    data = [np.array([[1, 2, 2], [0, 1, 1]]) for _ in shapes] if is_table else [HIDDEN]
    for ours, theirs in zip(keras.tree.flatten(loaded(data)), keras.tree.flatten(model(data)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("layer", "shapes"), LAYERS, ids=lambda x: getattr(x, "name", ""))
def test_symbolic_shapes_are_the_real_ones(layer, shapes):
    dtype = "int32" if len(shapes[0]) == 1 else "float32"
    symbolic = layer(*(keras.KerasTensor((2, 5, *shape[1:]), dtype) for shape in shapes))
    real = layer(*(np.ones((2, 5, *shape[1:]), dtype) for shape in shapes))
    shapes = keras.tree.map_structure(lambda t: tuple(t.shape), (symbolic, real))
    assert shapes[0] == shapes[1]


# Why DenseGradientEmbedding exists. Token 1 occurs twice, with gradients of 3 and 4: its true gradient is 7.

IDS = np.array([[1, 1]])
UPSTREAM = np.array([[[3.0], [4.0]]], "float32")


def table(kind):
    layer = kind(3, 1, embeddings_initializer="zeros")
    layer.build()
    return layer


def gradient(layer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS) * UPSTREAM)
    return tape.gradient(loss, layer.trainable_variables)


def update(layer, optimizer):
    optimizer.apply(gradient(layer), layer.trainable_variables)
    return layer.embeddings.numpy()[:, 0]


def test_gradient_is_dense_and_true():
    (found,) = gradient(table(DenseGradientEmbedding))
    assert isinstance(found, tf.Tensor)
    np.testing.assert_array_equal(found, [[0.0], [7.0], [0.0]])


def test_gradient_equals_the_stock_layers_when_summed():
    ids, upstream = RNG.integers(0, 6, (4, 7)), RNG.normal(size=(4, 7, 3)).astype("float32")
    gradients = []
    for kind in (DenseGradientEmbedding, keras.layers.Embedding):
        layer = kind(6, 3)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(ids) * upstream)
        gradients.append(tf.convert_to_tensor(tape.gradient(loss, layer.trainable_variables)[0]))
    assert_close(*gradients)


def test_gradient_in_a_compiled_function():
    layer = table(DenseGradientEmbedding)
    for jit in (False, True):
        (found,) = tf.function(lambda: gradient(layer), jit_compile=jit)()
        np.testing.assert_array_equal(found, [[0.0], [7.0], [0.0]])


def test_global_clipnorm_sees_the_true_norm():
    """Clipped to norm 1, the gradient 7 becomes 1. The stock layer's slices have norm 5: it becomes 7/5."""
    sgd = {kind: update(table(kind), keras.optimizers.SGD(1.0, global_clipnorm=1.0)) for kind in KINDS}
    np.testing.assert_allclose(sgd[DenseGradientEmbedding], [0.0, -1.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(sgd[keras.layers.Embedding], [0.0, -1.4, 0.0], rtol=1e-6)


def test_adam_sees_the_true_second_moment():
    """Adam's first step has the size of the learning rate. The stock layer adds 9 and 16, not 49: 7/5 of it.

    Adam divides by 1 - 0.999, and rounding 0.999 to float32 moves that by up to 3e-5.
    """
    adam = {kind: update(table(kind), keras.optimizers.Adam(1.0)) for kind in KINDS}
    assert_close(adam[DenseGradientEmbedding], [0.0, -1.0, 0.0], 1e-4)
    assert_close(adam[keras.layers.Embedding], [0.0, -1.4, 0.0], 1e-4)


KINDS = (DenseGradientEmbedding, keras.layers.Embedding)


def test_bfloat16_gradients_are_summed_in_float32():
    """A frequent token: 4,096 equal gradients. In bfloat16, adding 1 to 256 changes nothing."""
    gradients = []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = BertEmbeddings(10, 12, 512, dtype=dtype)
        layer.build()
        randomize(layer)
        layer.position_embedding.embeddings.assign(np.zeros((512, 12)))
        ids = np.ones((8, 512), "int32")
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(ids, 0 * ids), "float32") * HIDDEN[0, 0])
        gradients.append(tape.gradient(loss, layer.token_embedding.embeddings.value).numpy())
    assert np.abs(gradients[0] - gradients[1]).max() < 0.03 * np.abs(gradients[0]).max()
