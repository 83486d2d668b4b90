"""A feed-forward network in closed form: neurons of the teacher, chosen by what they do."""

import numpy as np
import tensorflow as tf

from tinybert_tf.distillation.closed_form.least_squares import Sums, ridge_solve, select_inputs
from tinybert_tf.distillation.closed_form.states import Spool, Text

_CANDIDATES = 2  # neurons to choose from, for each one that is taken


class FeedForwardCut:
    """Solves a student's feed-forward network, given its own inputs.

    1. Candidates are the neurons of the teacher's layer, and of the layers before it that the student skips, with the
       most variance times squared outgoing weights.
    2. Their inputs are regressed on the student's.
    3. Those that explain the teacher's sum before its layer norm best, less the student's residual, are taken one after
       another (orthogonal matching pursuit), and the output matrix is fitted to them.

    Neurons beyond the teacher's keep their inputs, without an effect at first.

    Args:
        block: The student's `TransformerBlock`.
        layers: The teacher's: those that are skipped, and at last the one that the student stands for.
        basis: The student's coordinates of the teacher's residual stream, `[teacher's width, student's]`.
    """

    def __init__(self, block, layers: list, basis: np.ndarray):
        self.block, self.layers, self.basis = block, layers, basis
        self._strength = [np.zeros((2, layer.intermediate_dim)) for layer in layers]
        self._inner = [Spool() for _ in layers]

    def add(self, number: int, inputs: np.ndarray, active: np.ndarray, valid: np.ndarray) -> None:
        """Adds a batch of a teacher's layer: the network's inputs, and its neurons after the activation."""
        self._inner[number].append(inputs)
        rows = active[valid]
        self._strength[number] += [rows.sum(0, dtype=np.float64), np.square(rows).sum(0, dtype=np.float64)]

    def solve(self, text: Text, states, sums_before_norm: Spool) -> None:
        """Sets the network's weights; the arguments are those of `AttentionCut.solve`."""
        block, layers, basis = self.block, self.layers, self.basis
        neurons = sum(layer.intermediate_dim for layer in layers)
        count = min(block.intermediate_dim, neurons)
        candidates = self._candidates(text.rows, _CANDIDATES * count)
        kernel, bias = self._inputs(text, states, candidates)
        prior = np.concatenate([layer.output_dense.kernel.numpy() for layer in layers])[candidates] @ basis
        prior_bias = layers[-1].output_dense.bias.numpy() @ basis
        if count < neurons or len(layers) > 1:  # then the teacher's own output matrix is no better guess than none
            prior, prior_bias = np.zeros_like(prior), np.zeros_like(prior_bias)
        fit = Sums()
        for valid, _, inputs, target in text.each(states, sums_before_norm):
            x = inputs[valid]
            active = block.activation_function(tf.constant(x @ kernel + bias)).numpy()
            fit.add(active, (target[valid] - x) - (active @ prior + prior_bias))
        covariance, cross = fit.covariance, fit.cross_covariance
        taken = np.arange(neurons) if count == neurons else select_inputs(covariance, cross, count)
        solved = ridge_solve(covariance[np.ix_(taken, taken)], cross[taken], fit.ridge)
        mean, mean_target = fit.means
        values = [weight.numpy() for weight in (*block.intermediate_dense.weights, *block.output_dense.weights)]
        values[0][:, :count], values[1][:count] = kernel[:, taken], bias[taken]
        values[2][:] = 0.0
        values[2][:count] = prior[taken] + solved
        values[3] = prior_bias + mean_target - mean[taken] @ solved
        for weight, value in zip((*block.intermediate_dense.weights, *block.output_dense.weights), values):
            weight.assign(value)

    def _candidates(self, rows: int, count: int) -> np.ndarray:
        """Returns the neurons to choose from, numbered through all layers."""
        effect = []
        for layer, (total, square) in zip(self.layers, self._strength):
            variance = square / rows - (total / rows) ** 2
            effect.append(variance * np.square(layer.output_dense.kernel.numpy() @ self.basis).sum(1))
        return np.sort(np.argsort(-np.concatenate(effect), kind="stable")[:count])

    def _inputs(self, text: Text, states, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns kernel and bias of the candidates' inputs."""
        denses = [layer.intermediate_dense for layer in self.layers]
        prior = self.basis.T @ np.concatenate([dense.kernel.numpy() for dense in denses], 1)[:, candidates]
        prior_bias = np.concatenate([dense.bias.numpy() for dense in denses])[candidates]
        sums = Sums()
        for valid, _, inputs, *theirs in text.each(states, *self._inner):
            x = inputs[valid]
            values = np.concatenate([dense(rows[valid]).numpy() for dense, rows in zip(denses, theirs)], 1)
            sums.add(x, values[:, candidates] - (x @ prior + prior_bias))
        change, change_bias = sums.solve()
        return (prior + change).astype(np.float32), (prior_bias + change_bias).astype(np.float32)
