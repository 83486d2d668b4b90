"""The schedule, and the weights that do not decay."""

import keras
import numpy as np
import pytest

from tinybert_tf.training.optimizer import FusedAdamW, LinearWarmupDecay, bert_optimizer


def test_warm_up_and_decay_are_linear():
    schedule = LinearWarmupDecay(1.0, total_steps=10, warmup_steps=4)
    rates = [float(schedule(step)) for step in range(11)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0])


def test_without_warm_up_the_first_update_is_at_the_peak():
    assert float(LinearWarmupDecay(0.5, total_steps=4)(0)) == 0.5


def test_the_schedule_survives_serialization():
    schedule = LinearWarmupDecay(1.0, 10, 4)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(copy(2)) == float(schedule(2))


def test_biases_and_layer_norms_do_not_decay():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.LayerNormalization()])
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer = bert_optimizer(0.1, total_steps=1, warmup_proportion=0.0, weight_decay=0.5)
    optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    after = {variable.name: float(variable.numpy().flat[0]) for variable in model.trainable_variables}
    assert after == {"kernel": pytest.approx(1 - 0.1 * 0.5), "bias": 1.0, "gamma": 1.0, "beta": 1.0}


def test_gradients_are_clipped_to_a_global_norm_of_one():
    assert bert_optimizer(1e-3, 10).global_clipnorm == 1.0


def test_the_fused_update_is_the_plain_one(monkeypatch):
    monkeypatch.setattr(FusedAdamW, "fuse_from", 0)

    def weights_after(kind):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
        model.compile(kind(0.1, weight_decay=0.1, global_clipnorm=0.5), loss="mse")
        x = np.random.default_rng(0).normal(size=(32, 3))
        model.fit(x, x.sum(axis=1), batch_size=8, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    for ours, theirs in zip(weights_after(FusedAdamW), weights_after(keras.optimizers.AdamW), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_schedule_counts_updates_where_gradients_are_accumulated():
    def changes(parts):
        """Returns the changes of one weight whose gradient is always 1: in AdamW, the learning rates."""
        weight = keras.Variable(np.zeros(1), dtype="float32", name="kernel")
        optimizer = bert_optimizer(1.0, 8, 0.25, 0.0, parts)
        values = [0.0]
        for _ in range(8):
            for _ in range(parts):
                optimizer.apply([keras.ops.ones(1)], [weight])
            values.append(float(weight.numpy()[0]))
        return -np.diff(values)

    expected = [0.5, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    np.testing.assert_allclose(changes(1), expected, rtol=1e-3)
    np.testing.assert_allclose(changes(4), expected, rtol=1e-3)
