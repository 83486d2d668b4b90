"""The order in which a student is solved: directions, embeddings, then layer by layer on its own states."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from tqdm.auto import tqdm

from tinybert_tf.data.batches import first_tokens
from tinybert_tf.distillation.closed_form.attention import AttentionCut
from tinybert_tf.distillation.closed_form.basis import student_basis
from tinybert_tf.distillation.closed_form.feed_forward import FeedForwardCut
from tinybert_tf.distillation.closed_form.least_squares import Sums
from tinybert_tf.distillation.closed_form.norm import NormFit, explained_share, normalized
from tinybert_tf.distillation.closed_form.states import Spool, Text
from tinybert_tf.errors import InputError
from tinybert_tf.layers.embeddings import TABLES
from tinybert_tf.models import BertEncoder

_BASIS_TOKENS = 20_000  # enough for the covariance of a teacher's hidden states
_PASSES = 3, 8  # of the student over the text: before its first layer, and per layer
_LAYER_COST = 4  # of one of the teacher's layers, in passes of the student: measured with BERT-base
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"


@dataclasses.dataclass(frozen=True)
class LayerFit:
    """How well a part of the student stands for its teacher's, on the text that it was fitted to.

    Args:
        teacher_layer: Number of the teacher's layer; 0 for the embeddings.
        explained: Share of the variance of the teacher's hidden states that the student's explain, in the directions
            that it has.
    """

    teacher_layer: int
    explained: float


def explained(fits: list[LayerFit]) -> str:
    """Returns one line that says how well each layer is explained."""
    names = ["embeddings", *(f"layer {fit.teacher_layer}" for fit in fits[1:])]
    shares = ", ".join(f"{name} {100 * fit.explained:.1f} %" for name, fit in zip(names, fits))
    return f"Closed form; the student explains of its teacher's hidden states: {shares}."


def cut_from_teacher(
    teacher: BertEncoder, student: BertEncoder, layer_map: Sequence[int], batches: Iterable[dict]
) -> list[LayerFit]:
    """Sets all weights of the student but its pooler, so that its layers compute what the teacher's do.

    The student's residual stream has the leading directions of the teacher's. Attention, feed-forward network and layer
    norms are regressed, one after another, on what the student itself has computed so far: each makes up for the
    errors before it, and a layer carries what the teacher's skipped layers add. docs/closed_form.md has the formulas.

    The teacher runs once over the text, and over its first 20,000 tokens before that. Memory does not grow with the
    text: what is read again is in temporary files, about 20 kB per token for a teacher of width 768.

    Args:
        teacher: The teacher.
        student: A student as wide as the teacher or narrower, of any depth, number of heads and of neurons.
        layer_map: The teacher's layer for each layer of the student, from 1.
        batches: Batches of real text of both models' vocabulary: some tens of thousands of tokens.

    Returns:
        One `LayerFit` for the embeddings and one per layer of the student.

    Raises:
        InputError: The student is wider than its teacher, or has tables of another width, or there is no text.
    """
    batches = list(batches)
    if not any(np.sum(batch["padding_mask"]) for batch in batches):
        raise InputError("batches", "no tokens", "some tens of thousands of tokens")
    if student.embeddings.projection is not None:
        got = f"tables of width {student.config.embedding_dim} in layers of {student.config.hidden_dim}"
        raise InputError("student", got, "one width, for a student in closed form")
    if student.config.hidden_dim > teacher.config.hidden_dim:
        got = f"a width of {student.config.hidden_dim}"
        raise InputError("student", got, f"at most the teacher's width, {teacher.config.hidden_dim}")
    before, per_layer = _PASSES
    layers = sum(max(number - previous, 1) for previous, number in itertools.pairwise([0, *layer_map]))
    total = (before + per_layer * len(layer_map) + _LAYER_COST * layers) * len(batches)
    if student.config.hidden_dim < teacher.config.hidden_dim:  # else directions need no pass
        total += _LAYER_COST * max(layer_map) * len(first_tokens(batches, _BASIS_TOKENS))
    solved = _in_float32(student)
    with tqdm(total=total, desc="closed form", bar_format=_BAR, smoothing=0, dynamic_ncols=True) as bar:
        fits = _Cut(_in_float32(teacher), solved, layer_map, Text(batches, bar.update)).run()
        bar.update(total - bar.n)
    if solved is not student:
        for ours, theirs in zip(student.weights, solved.weights):
            ours.assign(theirs)
    return fits


def copy_position_bias(teacher: BertEncoder, student: BertEncoder) -> None:
    """Gives a student with a bias by relative position its teacher's; zeros, where the teacher's does not fit."""
    ours, theirs = student.position_bias, teacher.position_bias
    if ours is not None:
        shape = ours.table.embeddings.shape
        fits = theirs is not None and theirs.table.embeddings.shape == shape
        ours.table.embeddings.assign(theirs.table.embeddings if fits else np.zeros(shape))


def _in_float32(encoder: BertEncoder) -> BertEncoder:
    if encoder.compute_dtype == "float32":
        return encoder
    copy = BertEncoder.from_config(encoder.get_config() | {"dtype": "float32"})
    for ours, theirs in zip(copy.weights, encoder.weights):
        ours.assign(theirs)
    return copy


class _Cut:
    """The state of `cut_from_teacher`.

    Attributes:
        basis: The student's coordinates of the teacher's residual stream, `[teacher's width, student's]`.
        ours: The student's hidden states after the last part that is solved, per batch.
        theirs: The teacher's hidden states after the last mapped layer, per batch.
        before: The teacher's hidden states before that layer, for a layer that is mapped twice.
    """

    def __init__(self, teacher: BertEncoder, student: BertEncoder, layer_map: Sequence[int], text: Text):
        self.teacher, self.student, self.layer_map, self.text = teacher, student, layer_map, text
        self.basis = self._basis()
        copy_position_bias(teacher, student)

    def run(self) -> list[LayerFit]:
        fits = [LayerFit(0, self._embeddings())]
        previous = 0
        for block, number in zip(self.student.blocks, self.layer_map):
            fits.append(LayerFit(number, self._layer(block, previous, number)))
            previous = number
        return fits

    def _basis(self) -> np.ndarray:
        """Returns the student's coordinates: see `student_basis`."""
        width = self.student.config.hidden_dim
        if width == self.teacher.config.hidden_dim:
            return np.eye(width, dtype=np.float32)
        layers = sorted({0, *self.layer_map})
        sums = {layer: Sums() for layer in layers}
        first = first_tokens(self.text.batches, _BASIS_TOKENS)
        for valid, _, batch in self.text.each(first, cost=_LAYER_COST * layers[-1]):
            states = self.teacher(batch, return_intermediates=True, num_layers=layers[-1])["hidden_states"]
            for layer, one in sums.items():
                rows = states[layer].numpy()[valid]
                one.add(rows, rows[:, :0])  # the covariance alone, of no regression
        gammas = [self.teacher.embeddings.in_hidden_space()[1]]
        gammas += [self.teacher.blocks[layer - 1].output_norm.gamma.numpy().astype(np.float64) for layer in layers[1:]]
        gamma = np.mean([one / np.abs(one).mean() for one in gammas], axis=0)
        covariance = sum(one.covariance for one in sums.values())
        return student_basis(covariance, gamma, width).astype(np.float32)

    def _embeddings(self) -> float:
        ours, theirs = self.student.embeddings, self.teacher.embeddings
        tables, *norm = theirs.in_hidden_space()
        for name in TABLES:
            table = getattr(ours, name)
            if table is None:
                continue
            values = table.embeddings.numpy()
            if name not in tables:  # the teacher knows no segments
                values[:] = 0.0
            else:
                cut = tables[name][: len(values)] @ self.basis
                values[: len(cut)] = cut
            table.embeddings.assign(values)
        ours.layer_norm.gamma.assign(np.ones(self.basis.shape[1]))
        ours.layer_norm.beta.assign(np.zeros(self.basis.shape[1]))
        self.theirs, inputs, targets = Spool(), Spool(), Spool()
        for _, _, batch in self.text.each(self.text.batches):
            hidden = theirs(batch["token_ids"], batch["segment_ids"]).numpy()
            self.theirs.append(hidden)
            targets.append(hidden @ self.basis)
            inputs.append(ours(batch["token_ids"], batch["segment_ids"]))
        self.before = self.theirs
        return self._norm(ours.layer_norm, norm, inputs, targets)

    def _norm(self, layer, source: list, inputs: Spool, targets: Spool, measure=True) -> float | None:
        """Solves a layer norm, from the teacher's gamma and beta on, and moves the student on.

        Returns the share that is explained.
        """
        gamma, beta = source[0] @ np.square(self.basis), source[1] @ self.basis
        self.ours = NormFit(self.text, inputs, targets, gamma, beta)
        self.ours.assign(layer)
        return explained_share(self.text, self.ours, targets) if measure else None

    def _layer(self, block, previous: int, number: int) -> float:
        """Solves one layer of the student; returns the share that is explained."""
        layers = self.teacher.blocks[previous : number - 1] + [self.teacher.blocks[number - 1]]
        source, text = layers[-1], self.text
        attention = AttentionCut(block.attention, source.attention, self.basis)
        feed_forward = FeedForwardCut(block, layers, self.basis)
        targets = self._read_teacher(layers, number > previous, attention, feed_forward)
        bias = self.student.position_bias or (lambda hidden: None)
        attention.solve(text, self.ours, targets["sum_1"], bias)
        inputs = Spool()
        for _, mask, hidden in text.each(self.ours):
            added = block.attention(hidden, mask, bias(hidden))[0].numpy()
            inputs.append(normalized(hidden + added, block.layer_norm_epsilon))
        self._norm(
            block.attention_norm, source.attention_norm.get_weights(), inputs, targets["attended"], measure=False
        )
        feed_forward.solve(text, self.ours, targets["sum_2"])
        inputs = Spool()
        for _, _, hidden in text.each(self.ours):
            added = block.output_dense(block.activation_function(block.intermediate_dense(hidden))).numpy()
            inputs.append(normalized(hidden + added, block.layer_norm_epsilon))
        return self._norm(block.output_norm, source.output_norm.get_weights(), inputs, targets["hidden"])

    def _read_teacher(self, layers: list, forward: bool, attention, feed_forward) -> dict[str, Spool]:
        """Runs the teacher's layers, and returns what the last one computes, in the student's coordinates."""
        targets = {name: Spool() for name in ("sum_1", "attended", "sum_2", "hidden")}
        states, self.before, after = (self.theirs if forward else self.before), Spool(), Spool()
        for valid, mask, hidden, ours in self.text.each(states, self.ours, cost=_LAYER_COST * len(layers)):
            bias = self.teacher.position_bias and self.teacher.position_bias(hidden)
            for i, layer in enumerate(layers):
                if layer is layers[-1]:
                    self.before.append(hidden)
                parts = _parts(layer, hidden, mask, bias)
                hidden = parts["hidden"]
                feed_forward.add(i, parts["attended"], parts["active"], valid)
            after.append(hidden)
            for name, spool in targets.items():
                spool.append(parts[name] @ self.basis)
            attention.add(ours[valid], parts["query_key_value"][valid])
        self.theirs = after
        return targets


def _parts(block, hidden: np.ndarray, mask, bias) -> dict[str, np.ndarray]:
    """Returns what a layer computes on the way to its output; `sum_1` and `sum_2` are what its layer norms get."""
    output, _, query_key_value = block.attention(hidden, mask, bias, return_query_key_value=True)
    attended = block.attention_norm(hidden + output)
    active = block.activation_function(block.intermediate_dense(attended))
    sum_2 = attended + block.output_dense(active)
    parts = {
        "query_key_value": query_key_value,
        "sum_1": hidden + output,
        "attended": attended,
        "active": active,
        "sum_2": sum_2,
        "hidden": block.output_norm(sum_2),
    }
    return {name: part.numpy() for name, part in parts.items()}
