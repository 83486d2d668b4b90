"""Attention in closed form: heads cut to the student's number and width."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tinybert_tf.distillation.closed_form.least_squares import Sums, product_svd, ridge_solve, square_root
from tinybert_tf.distillation.closed_form.states import Spool, Text


class AttentionCut:
    """Solves a student's attention layer, given its own inputs.

    1. The teacher's queries, keys and values are regressed on the student's inputs.
    2. Of the teacher's heads, as many stay as the student has: those whose values weigh most in the output.
    3. Each head's product of queries and keys is cut to the rank of the student's head, by a singular value
       decomposition in the metric of the inputs.
    4. The output matrix is regressed on the teacher's sum before its layer norm, less the student's residual; the
       values are cut to the directions of each head that this matrix reads, and the matrix is fitted again.

    What the student has beyond the teacher's heads and their width keeps its values, without an effect at first.

    Args:
        layer: The student's `MultiHeadSelfAttention`.
        source: The teacher's.
        basis: The student's coordinates of the teacher's residual stream, `[teacher's width, student's]`.
    """

    def __init__(self, layer, source, basis: np.ndarray):
        self.layer, self.source = layer, source
        denses = (source.query_dense, source.key_dense, source.value_dense)
        self._prior = basis.T @ np.concatenate([dense.kernel.numpy() for dense in denses], 1)
        self._prior_bias = np.concatenate([dense.bias.numpy() for dense in denses])
        self._output = source.output_dense.kernel.numpy() @ basis
        self._output_bias = source.output_dense.bias.numpy() @ basis
        self._sums = Sums()
        self.width = min(source.head_dim, layer.head_dim)
        self.heads = min(source.num_heads, layer.num_heads)

    def add(self, inputs: np.ndarray, query_key_value: np.ndarray) -> None:
        """Adds rows: the student's inputs, and the teacher's queries, keys and values side by side."""
        self._sums.add(inputs, query_key_value - (inputs @ self._prior + self._prior_bias))

    def solve(self, text: Text, states, sums_before_norm: Spool, position_bias: Callable) -> None:
        """Sets the layer's weights.

        Args:
            text: The text.
            states: The student's inputs per batch.
            sums_before_norm: The teacher's input plus its attention output, in the student's coordinates, per batch.
            position_bias: What the student adds to its scores, from its inputs; it returns None for nothing.
        """
        change, change_bias = self._sums.solve()
        wide = np.concatenate([self._prior + change, (self._prior_bias + change_bias)[None]])
        query, key, value = np.split(wide, 3, axis=1)
        mean = self._sums.means[0]
        moment = np.block(
            [[self._sums.covariance + np.outer(mean, mean), mean[:, None]], [mean[None], np.ones((1, 1))]]
        )
        root, inverse = square_root(moment)
        columns = self._chosen_heads(root @ value)
        self._set_scores(root @ query, root @ key, inverse, columns)
        columns = np.concatenate(columns)
        self._set_values(text, states, sums_before_norm, value[:, columns], columns, position_bias)

    def _chosen_heads(self, values: np.ndarray) -> list[np.ndarray]:
        """Returns the columns of each of the teacher's heads that stay."""
        size = self.source.head_dim
        columns = [np.arange(i * size, (i + 1) * size) for i in range(self.source.num_heads)]
        effect = [-np.square(values[:, part] @ self._output[part]).sum() for part in columns]
        return [columns[i] for i in np.sort(np.argsort(effect, kind="stable")[: self.heads])]

    def _places(self) -> list[slice]:
        """Returns where the student's heads are, each as wide as it is solved."""
        size = self.layer.head_dim
        return [slice(i * size, i * size + self.width) for i in range(self.heads)]

    def _set_scores(self, query, key, inverse, columns) -> None:
        layer = self.layer
        kernels = [dense.kernel.numpy() for dense in (layer.query_dense, layer.key_dense)]
        biases = [dense.bias.numpy() for dense in (layer.query_dense, layer.key_dense)]
        kernels[1][:] = biases[1][:] = 0.0
        scale = (layer.head_dim / self.source.head_dim) ** 0.25  # scores are divided by the root of the head's width
        for part, place in zip(columns, self._places()):
            halves = product_svd(query[:, part] * scale, key[:, part] * scale, self.width)
            for kernel, bias, half in zip(kernels, biases, halves):
                solved = inverse @ half
                kernel[:, place], bias[place] = solved[:-1], solved[-1]
        for dense, kernel, bias in zip((layer.query_dense, layer.key_dense), kernels, biases):
            dense.kernel.assign(kernel)
            dense.bias.assign(bias)

    def _set_values(self, text: Text, states, sums_before_norm: Spool, value, columns, position_bias) -> None:
        size, width, prior = self.source.head_dim, self.width, self._output[columns]
        whole, fit = value.astype(np.float32), Sums()
        for valid, mask, inputs, target in text.each(states, sums_before_norm):
            context = self._context(inputs, mask, position_bias(inputs), whole)[valid]
            fit.add(context, (target - inputs)[valid] - (context @ prior + self._output_bias))
        change, change_bias = fit.solve()
        output, bias = prior + change, self._output_bias + change_bias
        covariance = fit.covariance
        cut = np.zeros((len(columns), self.heads * width))
        for i in range(self.heads):
            rows = slice(i * size, (i + 1) * size)
            root, inverse = square_root(covariance[rows, rows])
            directions = np.linalg.svd(root @ output[rows], full_matrices=False)[0][:, :width]
            cut[rows, i * width : i * width + directions.shape[1]] = inverse @ directions
        if width < size:
            cross = cut.T @ (fit.cross_covariance + covariance @ prior)
            solved = ridge_solve(cut.T @ covariance @ cut, cross, fit.ridge)
            bias = bias + fit.means[0] @ (output - cut @ solved)
        else:  # nothing is cut, so the matrix stays what it is
            solved = np.linalg.pinv(cut) @ output
        layer = self.layer
        kernel, value_bias = layer.value_dense.kernel.numpy(), layer.value_dense.bias.numpy()
        output_kernel = np.zeros(layer.output_dense.kernel.shape)
        for i, place in enumerate(self._places()):
            part = slice(i * width, (i + 1) * width)
            matrix = value @ cut[:, part]
            kernel[:, place], value_bias[place] = matrix[:-1], matrix[-1]
            output_kernel[place] = solved[part]
        layer.value_dense.kernel.assign(kernel)
        layer.value_dense.bias.assign(value_bias)
        layer.output_dense.kernel.assign(output_kernel)
        layer.output_dense.bias.assign(bias)

    def _context(self, inputs: np.ndarray, mask, bias, value: np.ndarray) -> np.ndarray:
        """Returns what the student's heads gather of the teacher's values, `[batch, length, heads · width]`."""
        probabilities = tf.nn.softmax(self.layer(inputs, mask, bias)[1] + mask)[:, : self.heads]
        batch, length, _ = inputs.shape
        mixed = tf.reshape(inputs @ value[:-1] + value[-1], (batch, length, self.heads, self.source.head_dim))
        context = tf.matmul(probabilities, tf.transpose(mixed, (0, 2, 1, 3)))
        return tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (batch, length, -1)).numpy()
