"""BERT's optimizer: AdamW, linear warm-up and decay, global clipping."""

import math

import keras
import tensorflow as tf
from keras import ops
from keras.src.optimizers.base_optimizer import BaseOptimizer


@keras.saving.register_keras_serializable(package="tinybert_tf")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rise from 0 to the peak in `warmup_steps`, then a fall to 0 at `total_steps`, counted in optimizer steps.

    Args:
        peak: Highest learning rate.
        total_steps: Number of all optimizer steps.
        warmup_steps: Steps of warm-up; step `warmup_steps` is the first at the peak.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0):
        self.peak, self.total_steps, self.warmup_steps = peak, total_steps, warmup_steps

    def __call__(self, step):
        """Returns the learning rate of the step after `step` others."""
        step = ops.cast(step, "float32")
        up = (step + 1.0) / max(1, self.warmup_steps)
        down = (self.total_steps - step) / max(1, self.total_steps - self.warmup_steps)
        return self.peak * ops.maximum(0.0, ops.minimum(1.0, ops.where(step < self.warmup_steps, up, down)))

    def get_config(self) -> dict:
        return {"peak": self.peak, "total_steps": self.total_steps, "warmup_steps": self.warmup_steps}


@keras.saving.register_keras_serializable(package="tinybert_tf")
class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` whose step runs as one XLA program on CPUs.

    Otherwise AdamW makes some fourteen passes over every weight: half the time (docs/results/training_speed.md). Its
    schedule counts optimizer steps, also if gradients are accumulated: Keras's counts parts of batches and ends early.
    On several devices it takes the sum of their gradients on each of them (`devices`).

    Attributes:
        fuse_from: Number of weights from which on the program is worth compiling, which takes 4 seconds or more.
    """

    fuse_from = 1_000_000

    # Keras's own would add the gradients of all devices up, which the clipping must come after, and cannot accumulate.
    _backend_update_step = BaseOptimizer._backend_update_step
    _apply_weight_decay = BaseOptimizer._apply_weight_decay
    _backend_increment_gradient_accumulators = BaseOptimizer._backend_increment_gradient_accumulators

    def _get_current_learning_rate(self):
        rate = self._learning_rate
        return rate(self.iterations) if callable(rate) else super()._get_current_learning_rate()

    def apply(self, grads, trainable_variables=None):
        """Applies a step as Keras does, with the same result."""
        variables = trainable_variables or self._trainable_variables
        small = sum(math.prod(v.shape) for v in variables) < self.fuse_from
        elsewhere = tf.distribute.has_strategy() or tf.config.list_physical_devices("GPU")
        if small or elsewhere or not tf.inside_function():
            return super().apply(grads, trainable_variables)
        if not self.built:
            with tf.init_scope():
                self.build(variables)
        update = super().apply
        return tf.function(lambda *grads: update(list(grads), variables), jit_compile=True)(*grads)


def bert_optimizer(
    learning_rate: float,
    total_steps: int,
    warmup_proportion: float = 0.1,
    weight_decay: float = 0.01,
    gradient_accumulation_steps: int = 1,
) -> keras.optimizers.Optimizer:
    """Returns AdamW without decay on biases and layer norms, clipped to a global norm of 1.

    Args:
        learning_rate: Learning rate at the peak.
        total_steps: Number of all optimizer steps.
        warmup_proportion: Share of the steps that warm up.
        weight_decay: Weight decay, decoupled from the gradient.
        gradient_accumulation_steps: Number of batches whose gradients are averaged for one step.
    """
    optimizer = FusedAdamW(
        LinearWarmupDecay(learning_rate, total_steps, round(warmup_proportion * total_steps)),
        weight_decay=weight_decay,
        epsilon=1e-6,
        global_clipnorm=1.0,
        gradient_accumulation_steps=gradient_accumulation_steps if gradient_accumulation_steps > 1 else None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
