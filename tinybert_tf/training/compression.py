"""Learning under compression: quantization-aware training and magnitude pruning, for any optimizer and any model.

The model wrappers of tensorflow-model-optimization refuse Keras 3, but its quantizer and its pruning schedule are
plain TensorFlow and are used here. Importing it switches `tf.keras` to the legacy Keras. This module undoes that, and
no other module may import it.
"""

import os

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tinybert_tf.configs import NUMBER_FORMATS, QUANTIZED_FORMATS, NumberFormat
from tinybert_tf.errors import InputError

_PRUNE_EVERY = 10  # steps between new masks


def _model_optimization():
    """Returns tensorflow-model-optimization, leaving `tf.keras` and the environment as they were."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    _ = tf.keras.Model  # stays Keras 3, because it is loaded now
    try:
        import tensorflow_model_optimization
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    return tensorflow_model_optimization


class CompressedWeight:
    """One matrix or table with the values that a file will hold: quantized, and the smallest of them zero.

    It has the bits and scales of `configs.NUMBER_FORMATS`, which `--stage=export` uses too, so the conversion changes
    nothing.

    Args:
        variable: The model's weight, `[inputs, outputs]` or `[rows, width]`.
        number_format: The file's number format; None leaves the weight in floating point.
        pruned: Whether the weight is pruned at all; tables are not.
    """

    def __init__(self, variable: keras.Variable, number_format: NumberFormat | None, pruned: bool):
        # A copy: from `variable.value` Keras would make a second name for the same memory.
        self.variable, self.latent = variable, keras.Variable(variable.numpy(), name=variable.name)
        # What an earlier phase has pruned stays pruned until there is a new mask.
        self.mask = keras.Variable((np.asarray(variable) != 0).astype(np.float32), name="mask") if pruned else None
        self._quantizer = None
        if number_format is None:
            return
        bits = number_format.token_bits if "token_embedding" in variable.path else number_format.bits
        scales = number_format.table_scales if _is_table(variable) else number_format.matrix_scales
        self._rows, per_axis = scales == "per_row", scales != "per_table"
        quantizers = _model_optimization().quantization.keras.quantizers
        self._quantizer = quantizers.LastValueQuantizer(bits, per_axis=per_axis, symmetric=True, narrow_range=True)
        channels = (variable.shape[0 if self._rows else -1],) if per_axis else ()
        self._range = {name: tf.Variable(tf.zeros(channels), trainable=False) for name in ("min_var", "max_var")}

    def set_sparsity(self, sparsity) -> None:
        """Makes a new mask: the share `sparsity` of the float weight's values, the smallest ones, becomes zero."""
        if self.mask is not None:
            magnitudes = tf.abs(self.latent.value)
            count = tf.cast(tf.round(sparsity * tf.cast(tf.size(magnitudes), tf.float32)), tf.int32)
            ordered = tf.sort(tf.reshape(magnitudes, [-1]))
            threshold = tf.where(count > 0, ordered[tf.maximum(count - 1, 0)], -1.0)
            self.mask.assign(tf.cast(magnitudes > threshold, tf.float32))

    def project(self) -> None:
        """Assigns the values that the file will hold to the model's variable."""
        value = self.latent.value
        value = value if self.mask is None else value * self.mask.value
        if self._quantizer is not None:
            value = tf.transpose(value) if self._rows else value
            value = self._quantizer(value, training=True, weights=self._range)
            value = tf.transpose(value) if self._rows else value
        self.variable.assign(value)


class CompressingOptimizer(keras.optimizers.Optimizer):
    """Wraps an optimizer: the model learns with the weights that its file will hold.

    After each step every matrix and table holds quantized or pruned values. Gradients are computed with these and
    applied to float copies (the straight-through estimator), which checkpoints keep too.

    Args:
        inner_optimizer: The optimizer that computes the steps.
        model: The model whose matrices and tables are compressed; its other weights are trained as they are.
        quantized: One of `configs.QUANTIZED_FORMATS`, the exporter's quantized variants, or "none".
        sparsity: Share of each matrix that is zero in the end; tables are not pruned.
        total_steps: Number of all steps; sparsity grows by a cubic law over the first three quarters of them (Zhu and
            Gupta, 2017, equation 1).

    Raises:
        InputError: There is no such quantized format, or there are too few steps to prune.
    """

    def __init__(self, inner_optimizer, model: keras.Model, quantized: str, sparsity: float, total_steps: int):
        super().__init__(learning_rate=0.0, name="compressing_optimizer")
        if quantized not in ("none", *QUANTIZED_FORMATS):
            raise InputError("quantize", repr(quantized), f"one of none, {', '.join(QUANTIZED_FORMATS)}")
        self.inner_optimizer, self.sparsity = inner_optimizer, sparsity
        self._number_format = None if quantized == "none" else NUMBER_FORMATS[quantized]
        self._wanted = {id(v) for v in model.trainable_variables if _is_matrix(v)}
        schedules = _model_optimization().sparsity.keras
        end = max(1, 3 * total_steps // 4 // _PRUNE_EVERY) * _PRUNE_EVERY  # its masks have the whole sparsity
        begin = min(sparsity, sparsity_of(model))  # an earlier phase may have pruned it
        if sparsity and not begin and total_steps < _PRUNE_EVERY:
            raise InputError("sparsity", f"{sparsity}, with {total_steps} steps", f"{_PRUNE_EVERY} steps or more")
        self._schedule = schedules.PolynomialDecay(begin, sparsity, 0, end, power=3, frequency=_PRUNE_EVERY)

    def build(self, variables):
        if self.built:
            return
        self._compressed = {}
        for v in variables:
            pruned = self.sparsity > 0 and not _is_table(v)
            if id(v) in self._wanted and (pruned or self._number_format):
                self._compressed[id(v)] = CompressedWeight(v, self._number_format, pruned)
        self.inner_optimizer.build([self._latent(v) for v in variables])
        super().build(variables)
        for weight in self._compressed.values():
            weight.project()

    def _latent(self, variable):
        compressed = self._compressed.get(id(variable))
        return variable if compressed is None else compressed.latent

    @property
    def variables(self):
        own = [v for w in self._compressed.values() for v in (w.latent, w.mask) if v is not None]
        return [*self._variables, *self.inner_optimizer.variables, *own]

    def apply(self, grads, trainable_variables=None):
        """Applies a step to the float copies, then computes the model's weights from them."""
        variables = trainable_variables or self._trainable_variables
        if not self.built:
            with tf.init_scope():
                self.build(variables)
        self.inner_optimizer.apply(grads, [self._latent(v) for v in variables])
        if self.sparsity:
            due, sparsity = self._schedule(ops.cast(self.inner_optimizer.iterations, "int32"))
            tf.cond(due, lambda: self._prune(sparsity), lambda: None)
        for weight in self._compressed.values():
            weight.project()

    def _prune(self, sparsity) -> None:
        for weight in self._compressed.values():
            weight.set_sparsity(sparsity)

    @property
    def iterations(self):
        """The step counter of the inner optimizer."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss):
        """Scales the loss as the inner optimizer does."""
        return self.inner_optimizer.scale_loss(loss)


def _is_table(variable: keras.Variable) -> bool:
    return variable.path.endswith("embeddings")


def _is_matrix(variable: keras.Variable) -> bool:
    return len(variable.shape) == 2 and ops.size(variable) > 0 and variable.path.endswith(("kernel", "embeddings"))


def sparsity_of(model: keras.Model) -> float:
    """Returns the share of zeros among the weights of a model's matrices, without its tables."""
    kernels = [np.asarray(v) for v in model.trainable_variables if _is_matrix(v) and v.path.endswith("kernel")]
    return float(sum((k == 0).sum() for k in kernels) / sum(k.size for k in kernels))
