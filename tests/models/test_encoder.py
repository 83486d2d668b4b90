import inspect
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import PIECES, randomize
from tests.tolerance import assert_close
from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig
from tinybert_tf.errors import InputError
from tinybert_tf.layers import TransformerBlock
from tinybert_tf.models import BertEncoder
from tinybert_tf.models.encoder import encoder_inputs


def test_padding_changes_nothing(make_encoder, batch):
    encoder = make_encoder()
    padded = encoder(batch)
    alone = encoder({name: value[1:2, :6] for name, value in batch.items()})
    assert_close(padded["sequence_output"][1, :6], alone["sequence_output"][0])
    assert_close(padded["pooled_output"][1], alone["pooled_output"][0])


def test_outputs_without_intermediates(make_encoder, batch):
    assert set(make_encoder()(batch)) == {"sequence_output", "pooled_output"}


def test_unknown_call_argument(make_encoder, batch):
    with pytest.raises(TypeError):
        make_encoder()(batch, return_hidden_states=True)
    with pytest.raises(TypeError):
        make_encoder()(encoder_inputs(), return_hidden_states=True)


@pytest.mark.parametrize("intermediates", [False, True])
def test_queries_keys_and_values_when_asked(make_encoder, batch, intermediates):
    encoder = make_encoder()
    asked = {"return_intermediates": intermediates, "return_query_key_value": True}
    outputs, plain = encoder(batch, **asked), encoder(batch, return_intermediates=intermediates)
    vectors = outputs.pop("query_key_value")
    assert [tuple(x.shape) for x in vectors] == [(3, 9, 36)] * 2
    keras.tree.map_structure(np.testing.assert_array_equal, outputs, plain)
    scores = encoder(batch, return_intermediates=True)["attention_scores"]
    for found, expected in zip(vectors, scores, strict=True):
        query, key, _ = (x.reshape(3, 9, 3, 4).swapaxes(1, 2) for x in np.split(np.asarray(found), 3, axis=-1))
        np.testing.assert_allclose(query @ key.swapaxes(2, 3) / 2.0, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_num_layers_skips_upper_layers(make_encoder, batch, monkeypatch, k):
    encoder = make_encoder(num_layers=3)
    everything = encoder(batch, return_intermediates=True)
    calls, call = [], TransformerBlock.call
    monkeypatch.setattr(
        TransformerBlock, "call", lambda self, *a, **kw: calls.append(self.name) or call(self, *a, **kw)
    )
    pooled = []
    monkeypatch.setattr(encoder.pooler, "call", lambda x: pooled.append(x))
    outputs = encoder(batch, return_intermediates=True, num_layers=k)
    assert calls == [f"transformer_layer_{i}" for i in range(k)]
    assert not pooled and "pooled_output" not in outputs
    assert len(outputs["hidden_states"]) == k + 1 and len(outputs["attention_scores"]) == k
    np.testing.assert_array_equal(outputs["sequence_output"], everything["hidden_states"][k])


@pytest.mark.parametrize("k", [-1, 3])
def test_num_layers_outside_the_encoder(make_encoder, batch, k):
    with pytest.raises(ValueError, match=f"num_layers: got {k}; expected a number from 0 to 2"):
        make_encoder()(batch, num_layers=k)


def test_too_long(make_encoder):
    inputs = dict.fromkeys(("token_ids", "segment_ids", "padding_mask"), np.ones((1, 25), "int32"))
    with pytest.raises(ValueError, match="25 tokens in a row; expected at most 24"):
        make_encoder()(inputs)


def test_heads_must_divide_width(make_encoder):
    with pytest.raises(InputError, match="num_heads: got 5; expected a divisor of the width 12"):
        make_encoder(num_heads=5)


def test_unknown_activation(make_encoder):
    with pytest.raises(InputError, match="activation: got 'mish2'; expected one of gelu, "):
        make_encoder(activation="mish2")


def test_shape_presets_are_buildable():
    for config in STUDENT_PRESETS.values():
        assert isinstance(config, EncoderConfig) and config.hidden_dim % config.num_heads == 0


def test_from_shape_has_the_papers_size():
    encoder = BertEncoder.from_shape(STUDENT_PRESETS["tinybert_4l_312"])
    assert encoder.count_params() == 14_350_248  # 14.5 M in the paper


def test_from_shape_arguments_go_first():
    encoder = BertEncoder.from_shape(EncoderConfig(1, 4, 2, 8, 10), dropout=0.0, dtype="mixed_bfloat16")
    assert encoder.config.dropout == 0.0 and encoder.compute_dtype == "bfloat16"


@pytest.mark.parametrize("intermediates", [False, True])
def test_functional_model(make_encoder, batch, intermediates):
    encoder = make_encoder()
    inputs = encoder_inputs()
    model = keras.Model(inputs, encoder(inputs, return_intermediates=intermediates))
    eager = encoder(batch, return_intermediates=intermediates)
    for ours, theirs in zip(keras.tree.flatten(model(batch)), keras.tree.flatten(eager), strict=True):
        assert_close(ours, theirs)
    symbolic = keras.tree.map_structure(lambda t: (len(t.shape), t.dtype), model.output)
    assert symbolic == keras.tree.map_structure(lambda t: (len(t.shape), t.dtype.name), eager)


def test_symbolic_shapes_are_the_real_ones(make_encoder, batch):
    encoder = make_encoder()
    inputs = encoder_inputs(*batch["token_ids"].shape)
    for k in (None, 0, 1):
        asked = {"return_intermediates": True, "return_query_key_value": True, "num_layers": k}
        symbolic, real = encoder(inputs, **asked), encoder(batch, **asked)
        shapes = keras.tree.map_structure(lambda t: tuple(t.shape), (symbolic, real))
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("functional", [False, True])
def test_summary(make_encoder, functional):
    encoder, inputs, lines = make_encoder(), encoder_inputs(), []
    model = keras.Model(inputs, encoder(inputs)) if functional else encoder
    model.summary(print_fn=lines.append, expand_nested=True)
    assert "transformer_layer_1" in "\n".join(lines) and f"{encoder.count_params():,}" in "\n".join(lines)


def test_predict(make_encoder, batch):
    encoder = make_encoder()
    predicted = encoder.predict(batch, batch_size=2, verbose=0)
    assert_close(predicted["pooled_output"], encoder(batch)["pooled_output"])


def test_no_warnings(make_encoder, batch):
    """Keras warns of masks that layers lose or do not take; ours is an ordinary argument."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        encoder, inputs = make_encoder(), encoder_inputs()
        keras.Model(inputs, encoder(inputs, return_intermediates=True)).predict(batch, verbose=0)
        encoder.predict(batch, verbose=0)
        encoder(batch, training=True)


def test_dropout_only_while_training(make_encoder, batch):
    encoder = make_encoder(dropout=0.5)
    still = encoder(batch)["pooled_output"]
    np.testing.assert_array_equal(still, encoder(batch, training=False)["pooled_output"])
    assert np.abs(still - encoder(batch, training=True)["pooled_output"]).max() > 0.01


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(make_encoder, batch, dtype):
    full, mixed = make_encoder(), make_encoder(dtype=dtype)
    keras.tree.map_structure(lambda a, b: a.assign(b), mixed.weights, full.weights)
    outputs = mixed(batch, return_intermediates=True)
    assert {t.dtype.name for t in keras.tree.flatten(outputs)} == {dtype.removeprefix("mixed_")}
    expected = full(batch, return_intermediates=True)
    half_a_unit = {"mixed_bfloat16": 2**-8, "mixed_float16": 2**-11}[dtype]  # what one rounding loses at most
    for ours, theirs in zip(keras.tree.flatten(outputs), keras.tree.flatten(expected), strict=True):
        assert_close(np.asarray(ours, "float32"), theirs, 16 * half_a_unit)


def test_mixed_precision_keeps_gradients_in_float32(make_encoder, batch):
    encoder = make_encoder(dtype="mixed_bfloat16")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(encoder(batch)["pooled_output"], "float32"))
    gradients = tape.gradient(loss, encoder.trainable_variables)
    assert {g.dtype for g in gradients} == {tf.float32}


def test_keras_file(make_encoder, batch, tmp_path):
    encoder = make_encoder(name="student", trainable=False, dtype="mixed_bfloat16")
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert type(loaded) is BertEncoder
    assert (loaded.name, loaded.trainable, loaded.dtype_policy.name) == ("student", False, "mixed_bfloat16")
    assert loaded.config == encoder.config
    assert loaded.tokenizer.vocabulary == PIECES and loaded.tokenizer.sequence_length == 16
    np.testing.assert_array_equal(loaded(batch)["pooled_output"], encoder(batch)["pooled_output"])


def test_keras_file_of_a_functional_model(make_encoder, batch, tmp_path):
    encoder, inputs = make_encoder(), encoder_inputs()
    model = keras.Model(inputs, encoder(inputs)["pooled_output"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch), model(batch))


def test_config_mirrors_the_constructor(make_encoder):
    config = make_encoder().get_config()
    arguments = set(inspect.signature(BertEncoder.__init__).parameters) - {"self", "kwargs"}
    assert set(config) == arguments | {"name", "trainable", "dtype"}
    copy = BertEncoder.from_config(config)
    assert copy.get_config() == config and copy.tokenizer.vocabulary == PIECES


def test_from_config_leaves_its_argument_alone(make_encoder):
    config = make_encoder().get_config()
    before = dict(config)
    BertEncoder.from_config(config)
    assert config == before


def test_same_seed_same_weights():
    def pooled():
        keras.utils.set_random_seed(3)
        return BertEncoder.from_shape(EncoderConfig(1, 4, 2, 8, 10)).pooler.kernel.numpy()

    np.testing.assert_array_equal(pooled(), pooled())


def test_randomize_reaches_every_weight(make_encoder):
    encoder = make_encoder()
    before = [v.numpy() for v in encoder.weights]
    randomize(encoder, seed=1)
    assert all((a != v.numpy()).all() for a, v in zip(before, encoder.weights, strict=True))
