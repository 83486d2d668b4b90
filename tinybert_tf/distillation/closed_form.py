"""A student cut out of its teacher by least squares, layer by layer, without a gradient step: docs/closed_form.md."""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tinybert_tf.distillation.least_squares import (
    Sums,
    keep_coordinates,
    product_svd,
    ridge_solve,
    select_inputs,
    square_root,
)
from tinybert_tf.errors import InputError
from tinybert_tf.layers.attention import additive_mask
from tinybert_tf.models import BertEncoder

_COORDINATE_TOKENS = 20_000  # enough for the covariance of a teacher's hidden states
_CANDIDATES = 2  # feed-forward neurons to choose from, for each one of the student
_TABLES = ("token_embedding", "position_embedding", "segment_embedding")


@dataclasses.dataclass(frozen=True)
class LayerFit:
    """How well a student's layer stands for its teacher's, on the text that it was fitted to.

    Args:
        teacher_layer: Number of the teacher's layer; 0 for the embeddings.
        hidden: Share of the variance of the teacher's kept coordinates that the layer's output explains.
    """

    teacher_layer: int
    hidden: float


def explained(fits: list[LayerFit]) -> str:
    """Returns one line that says how well each layer is explained."""
    names = ["embeddings", *(f"layer {fit.teacher_layer}" for fit in fits[1:])]
    shares = ", ".join(f"{name} {100 * fit.hidden:.1f} %" for name, fit in zip(names, fits))
    return f"Closed form; of the teacher's hidden states the student explains: {shares}."


def cut_from_teacher(
    teacher: BertEncoder, student: BertEncoder, layer_map: Sequence[int], batches: list[dict]
) -> list[LayerFit]:
    """Sets all weights of the student but its pooler, so that its layers compute what the teacher's do.

    The student's residual stream has some of the teacher's coordinates. Queries, keys, values, feed-forward inputs and
    outputs and layer norms are regressed, one after another, on what the student itself has computed so far: each
    makes up for the errors before it, and a layer carries what the teacher's skipped layers add. Heads and neurons
    are cut to the student's number and width by what they do for the next sum. Where the student has more than its
    teacher, the additional weights stay as they are and have no effect at first.

    Memory does not grow with the text: what later sums need is in a temporary file, some 20 kB per token for a teacher
    of width 768.

    Args:
        teacher: The teacher.
        student: A student as wide as the teacher or narrower, of any depth and number of heads.
        layer_map: The teacher's layer for each layer of the student, from 1.
        batches: Batches of real text of both models' vocabulary: some tens of thousands of tokens.

    Returns:
        One `LayerFit` for the embeddings and one per layer of the student.

    Raises:
        InputError: The student is wider than its teacher.
    """
    if student.config.hidden_dim > teacher.config.hidden_dim:
        got = f"a width of {student.config.hidden_dim}"
        raise InputError("student", got, f"at most the teacher's width, {teacher.config.hidden_dim}")
    passes = 2 + 6 * student.config.num_layers
    with tqdm(total=passes * len(batches), desc="closed form", unit="batch", dynamic_ncols=True) as bar:
        cut = _in_float32(student)
        fits = _Cut(_in_float32(teacher), cut, layer_map, batches, bar).run()
    if cut is not student:
        for ours, solved in zip(student.weights, cut.weights):
            ours.assign(solved)
    return fits


def _in_float32(encoder: BertEncoder) -> BertEncoder:
    if encoder.compute_dtype == "float32":
        return encoder
    copy = BertEncoder.from_config(encoder.get_config() | {"dtype": "float32"})
    for ours, theirs in zip(copy.weights, encoder.weights):
        ours.assign(theirs)
    return copy


class _Spool:
    """Arrays in a temporary file that no name leads to; it is gone when the process is."""

    def __init__(self):
        self.file, self.count = tempfile.TemporaryFile(), 0  # noqa: SIM115

    def __del__(self):
        self.file.close()

    def append(self, array: np.ndarray) -> None:
        np.save(self.file, np.asarray(array, np.float32))
        self.count += 1

    def __iter__(self) -> Iterator[np.ndarray]:
        self.file.seek(0)
        for _ in range(self.count):
            yield np.load(self.file)


class _Cut:
    """The state of `cut_from_teacher`: both models' hidden states so far, batch by batch."""

    def __init__(self, teacher, student, layer_map, batches, bar):
        self.teacher, self.student, self.layer_map, self.bar = teacher, student, layer_map, bar
        self.batches = [
            {name: np.asarray(batch[name], np.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
            for batch in batches
        ]
        self.valid = [batch["padding_mask"].astype(bool) for batch in self.batches]
        self.masks = [additive_mask(batch["padding_mask"], "float32") for batch in self.batches]
        self.kept = self._coordinates()

    def run(self) -> list[LayerFit]:
        fits = [self._embeddings()]
        for number, teacher_layer in enumerate(self.layer_map):
            previous = self.layer_map[number - 1] if number else 0
            fits.append(self._layer(self.student.blocks[number], previous, teacher_layer))
        return fits

    def each(self, *sources) -> Iterator[tuple]:
        """Yields the elements of all sources for each batch, and moves the bar."""
        for items in zip(self.valid, self.masks, *sources):
            yield items
            self.bar.update()

    # === Which coordinates stay ===

    def _coordinates(self) -> np.ndarray:
        """Returns the coordinates of the teacher's residual stream that the student has."""
        width = self.student.config.hidden_dim
        if width == self.teacher.config.hidden_dim:
            self.bar.update(len(self.batches))
            return np.arange(width)
        layers = {0, *self.layer_map}
        sums, tokens = {layer: Sums() for layer in layers}, 0
        for batch, valid in zip(self.batches, self.valid):
            if tokens < _COORDINATE_TOKENS:
                states = self.teacher(batch, return_intermediates=True, num_layers=max(layers))["hidden_states"]
                for layer in layers:
                    rows = states[layer].numpy()[valid]
                    sums[layer].add(rows, rows[:, :0])
                tokens += valid.sum()
            self.bar.update()
        return keep_coordinates(sum(one.covariance for one in sums.values()), width)

    # === Embeddings ===

    def _embeddings(self) -> LayerFit:
        ours, theirs = self.student.embeddings, self.teacher.embeddings
        for name in _TABLES:
            table, source = getattr(ours, name), getattr(theirs, name)
            if table is None:
                continue
            values = table.embeddings.numpy()
            if source is None:
                values = np.zeros_like(values)
            else:
                cut = source.embeddings.numpy()[: len(values), self.kept]
                values[: len(cut)] = cut
            table.embeddings.assign(values)
        _set_norm(ours.layer_norm, np.ones(len(self.kept)), np.zeros(len(self.kept)))
        self.theirs, normalized, targets = _Spool(), _Spool(), _Spool()
        for batch in self.batches:
            hidden = theirs(batch["token_ids"], batch["segment_ids"]).numpy()
            self.theirs.append(hidden)
            targets.append(hidden[..., self.kept])
            normalized.append(ours(batch["token_ids"], batch["segment_ids"]))
            self.bar.update()
        share = self._norm(ours.layer_norm, theirs.layer_norm, normalized, targets)
        self.before = self.theirs
        return LayerFit(0, share)

    def _norm(self, layer, source, normalized: _Spool, targets: _Spool) -> float:
        """Fits gamma and beta, a line for each coordinate, and moves the student on; returns the share explained."""
        gamma, beta = source.gamma.numpy()[self.kept], source.beta.numpy()[self.kept]
        sums = np.zeros((5, len(self.kept)))
        rows = 0
        for valid, x, t in zip(self.valid, normalized, targets):
            x, t = x[valid].astype(np.float64), t[valid].astype(np.float64)
            error = t - (gamma * x + beta)
            sums += [x.sum(0), (x * x).sum(0), error.sum(0), (x * error).sum(0), (t * t).sum(0)]
            rows += len(x)
        x, xx, e, xe, _ = sums / rows
        slope = (xe - x * e) / np.maximum(xx - x * x, 1e-6)
        gamma, beta = gamma + slope, beta + e - slope * x
        _set_norm(layer, gamma, beta)
        self.ours = lambda: (array * gamma.astype(np.float32) + beta.astype(np.float32) for array in normalized)
        error = spread = mean = 0.0
        for valid, x, t in zip(self.valid, self.ours(), targets):
            error = error + np.square(x[valid] - t[valid]).sum(dtype=np.float64)
            spread, mean = (
                spread + np.square(t[valid]).sum(0, dtype=np.float64),
                mean + t[valid].sum(0, dtype=np.float64),
            )
        return float(1 - error / (spread - mean**2 / rows).sum())

    # === One layer ===

    def _layer(self, block, previous: int, number: int) -> LayerFit:
        source = self.teacher.blocks[number - 1]
        skipped = self.teacher.blocks[previous : number - 1]
        start = self.theirs if number > previous else self.before
        sums = Sums()
        targets = {name: _Spool() for name in ("z1", "attended", "z2", "hidden")}
        inner = [_Spool() for _ in (*skipped, source)]
        spread = [np.zeros((2, layer.intermediate_dim)) for layer in (*skipped, source)]
        self.before, after = _Spool(), _Spool()
        projections = [source.attention.query_dense, source.attention.key_dense, source.attention.value_dense]
        weights = [
            np.concatenate([layer.kernel.numpy()[self.kept] for layer in projections], 1),
            np.concatenate([layer.bias.numpy() for layer in projections]),
        ]
        for valid, mask, theirs, ours in self.each(start, self.ours()):
            bias = self.teacher.position_bias and self.teacher.position_bias(theirs)
            for i, layer in enumerate((*skipped, source)):
                if layer is source:
                    self.before.append(theirs)
                parts = _parts(layer, theirs, mask, bias)
                theirs = parts["hidden"]
                inner[i].append(parts["attended"])
                active = parts["active"][valid]
                spread[i] += [active.sum(0, dtype=np.float64), np.square(active).sum(0, dtype=np.float64)]
            after.append(theirs)
            for name, spool in targets.items():
                spool.append(parts[name][..., self.kept])
            x = ours[valid]
            sums.add(x, parts["query_key_value"][valid] - (x @ weights[0] + weights[1]))
        kernel, bias = (fit + prior for fit, prior in zip(sums.solve(), weights))
        self.theirs = after
        self._attention(block.attention, source, sums, kernel, bias, targets["z1"])
        normalized = _Spool()
        for _, mask, ours in self.each(self.ours()):
            z1 = ours + block.attention(ours, mask)[0].numpy()
            normalized.append(_normalize(z1, block.attention_norm.epsilon))
        self._norm(block.attention_norm, source.attention_norm, normalized, targets["attended"])
        self._feed_forward(block, [*skipped, source], inner, spread, targets["z2"])
        normalized = _Spool()
        for _, _, attended in self.each(self.ours()):
            z2 = attended + block.output_dense(block.activation_function(block.intermediate_dense(attended))).numpy()
            normalized.append(_normalize(z2, block.output_norm.epsilon))
        return LayerFit(number, self._norm(block.output_norm, source.output_norm, normalized, targets["hidden"]))

    def _attention(self, attention, source, sums: Sums, kernel, bias, z1: _Spool) -> None:
        """Cuts heads to the student's number and width."""
        theirs, ours = source.attention.head_dim, attention.head_dim
        width, heads = min(theirs, ours), min(source.attention.num_heads, attention.num_heads)
        query, key, value = np.split(np.concatenate([kernel, bias[None]]), 3, axis=1)
        mean = sums.means[0]
        moment = np.block([[sums.covariance + np.outer(mean, mean), mean[:, None]], [mean[None], np.ones((1, 1))]])
        root, inverse = square_root(moment)
        output = source.attention.output_dense.kernel.numpy()[:, self.kept]
        size = np.array(
            [np.square(root @ value[:, s] @ output[s]).sum() for s in _slices(theirs, source.attention.num_heads)]
        )
        chosen = np.sort(np.argsort(-size, kind="stable")[:heads])
        parts = [slice(i * theirs, (i + 1) * theirs) for i in chosen]
        places = [slice(i * ours, i * ours + width) for i in range(heads)]
        query_dense, key_dense, value_dense = attention.query_dense, attention.key_dense, attention.value_dense
        weights = {dense: [v.numpy().astype(np.float64) for v in dense.weights] for dense in _denses(attention)}
        _silence(weights[key_dense][0]), _silence(weights[key_dense][1])
        for part, place in zip(parts, places):
            scale = (ours / theirs) ** 0.25  # scores are divided by the root of the head's width
            halves = product_svd(root @ query[:, part] * scale, root @ key[:, part] * scale, width)
            for dense, half in zip((query_dense, key_dense), halves):
                matrix = inverse @ half
                weights[dense][0][:, place], weights[dense][1][place] = matrix[:-1], matrix[-1]
        for dense in (query_dense, key_dense):
            _assign(dense, *weights[dense])
        # What the whole values of the teacher's chosen heads do for the sum, with the student's own attention.
        columns = np.concatenate([np.arange(p.start, p.stop) for p in parts])
        prior = output[columns], source.attention.output_dense.bias.numpy()[self.kept]
        full = value[:, columns].astype(np.float32)
        fit = Sums()
        for valid, mask, ours_, target in self.each(self.ours(), z1):
            context = _context(attention, ours_, mask, full, heads, theirs)[valid]
            fit.add(context, (target - ours_)[valid] - (context @ prior[0] + prior[1]))
        change, change_bias = fit.solve()
        whole, whole_bias = prior[0] + change, prior[1] + change_bias
        covariance, mean = fit.covariance, fit.means[0]
        cut = np.zeros((len(columns), heads * width))
        for i, rows in enumerate(_slices(theirs, heads)):
            half, back = square_root(covariance[rows, rows])
            cut[rows, i * width : (i + 1) * width] = (
                back @ np.linalg.svd(half @ whole[rows], full_matrices=False)[0][:, :width]
            )
        if width < theirs:
            inner = cut.T @ covariance @ cut
            cross = cut.T @ (fit.cross_covariance + covariance @ prior[0])
            solved = ridge_solve(inner, cross, fit.ridge)
            solved_bias = whole_bias + mean @ whole - (mean @ cut) @ solved
        else:
            solved, solved_bias = np.linalg.solve(cut.T @ cut, cut.T @ whole), whole_bias
        kernel, _ = weights[attention.output_dense]
        kernel[:] = 0.0
        for i, place in enumerate(places):
            columns_ = slice(i * width, (i + 1) * width)
            matrix = value[:, columns] @ cut[:, columns_]
            weights[value_dense][0][:, place], weights[value_dense][1][place] = matrix[:-1], matrix[-1]
            kernel[place] = solved[columns_]
        _assign(value_dense, *weights[value_dense])
        _assign(attention.output_dense, kernel, solved_bias)

    def _feed_forward(self, block, layers: list, inner: list[_Spool], spread: list, z2: _Spool) -> None:
        """Takes the neurons that do most for the sum, from the teacher's layer and those that are skipped before it."""
        neurons = [(i, j) for i, layer in enumerate(layers) for j in range(layer.intermediate_dim)]
        count = min(block.intermediate_dim, len(neurons))
        strength = []
        for layer, (total, square) in zip(layers, spread):
            rows = sum(valid.sum() for valid in self.valid)
            variance = square / rows - (total / rows) ** 2
            strength.append(variance * np.square(layer.output_dense.kernel.numpy()).sum(1))
        order = np.argsort(-np.concatenate(strength), kind="stable")
        candidates = np.sort(order[: _CANDIDATES * count])
        inputs = [layer.intermediate_dense for layer in layers]
        prior = [
            np.concatenate([dense.kernel.numpy()[self.kept] for dense in inputs], 1)[:, candidates],
            np.concatenate([dense.bias.numpy() for dense in inputs])[candidates],
        ]
        sums = Sums()
        for items in self.each(self.ours(), *inner):
            valid, _, attended, *theirs = items
            x = attended[valid]
            values = np.concatenate([dense(a[valid]).numpy() for dense, a in zip(inputs, theirs)], 1)[:, candidates]
            sums.add(x, values - (x @ prior[0] + prior[1]))
        kernel, bias = (fit + given for fit, given in zip(sums.solve(), prior))
        kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
        all_kept = count == len(neurons)
        outputs = np.concatenate([layer.output_dense.kernel.numpy() for layer in layers])[candidates][:, self.kept]
        last_bias = layers[-1].output_dense.bias.numpy()[self.kept]
        given = (outputs, last_bias) if all_kept and len(layers) == 1 else (np.zeros_like(outputs), 0 * last_bias)
        fit = Sums()
        for valid, _, attended, target in self.each(self.ours(), z2):
            x = attended[valid]
            active = block.activation_function(tf.constant(x @ kernel + bias)).numpy()
            fit.add(active, (target[valid] - x) - (active @ given[0] + given[1]))
        covariance, cross = fit.covariance, fit.cross_covariance
        taken = np.arange(len(candidates)) if all_kept else select_inputs(covariance, cross, count)
        solved = ridge_solve(covariance[np.ix_(taken, taken)], cross[taken], fit.ridge)
        mean_x, mean_y = fit.means
        weights = [v.numpy() for v in (*block.intermediate_dense.weights, *block.output_dense.weights)]
        weights[0][:, :count], weights[1][:count] = kernel[:, taken], bias[taken]
        weights[2][:] = 0.0
        weights[2][:count] = given[0][taken] + solved
        weights[3] = given[1] + mean_y - mean_x[taken] @ solved
        _assign(block.intermediate_dense, *weights[:2])
        _assign(block.output_dense, *weights[2:])


def _parts(block, hidden, mask, bias) -> dict[str, np.ndarray]:
    """Returns what a layer computes on the way to its output."""
    attended, _, query_key_value = block.attention(hidden, mask, bias, return_query_key_value=True)
    z1 = hidden + attended
    attended = block.attention_norm(z1)
    active = block.activation_function(block.intermediate_dense(attended))
    z2 = attended + block.output_dense(active)
    parts = {"query_key_value": query_key_value, "z1": z1, "attended": attended, "active": active, "z2": z2}
    return {name: part.numpy() for name, part in (parts | {"hidden": block.output_norm(z2)}).items()}


def _context(attention, hidden, mask, values, heads: int, head_dim: int) -> np.ndarray:
    """Returns what the first heads of `attention` gather of other values, `[batch, length, heads · head_dim]`."""
    probabilities = tf.nn.softmax(attention(hidden, mask)[1] + mask)[:, :heads]
    batch, length, _ = hidden.shape
    ones = np.ones((batch, length, 1), np.float32)
    mixed = tf.reshape(np.concatenate([hidden, ones], -1) @ values, (batch, length, heads, head_dim))
    context = tf.matmul(probabilities, tf.transpose(mixed, (0, 2, 1, 3)))
    return tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (batch, length, heads * head_dim)).numpy()


def _normalize(x: np.ndarray, epsilon: float) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


def _slices(width: int, count: int) -> list[slice]:
    return [slice(i * width, (i + 1) * width) for i in range(count)]


def _denses(attention) -> tuple:
    return attention.query_dense, attention.key_dense, attention.value_dense, attention.output_dense


def _silence(array: np.ndarray) -> None:
    array[...] = 0.0


def _assign(dense, kernel: np.ndarray, bias: np.ndarray) -> None:
    dense.kernel.assign(kernel.astype(np.float32))
    dense.bias.assign(bias.astype(np.float32))


def _set_norm(layer, gamma: np.ndarray, beta: np.ndarray) -> None:
    layer.gamma.assign(gamma.astype(np.float32))
    layer.beta.assign(beta.astype(np.float32))
