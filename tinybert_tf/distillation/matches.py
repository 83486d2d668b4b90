"""The layer map g(m): which teacher layer each student layer imitates (paper, section 3.1), and what is compared.

Layers are numbered as in the paper: from 1, with 0 for the embedding output.
"""

import dataclasses
from collections.abc import Sequence

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation.losses import Loss
from tinybert_tf.errors import InputError

STRATEGIES = ("uniform", "top", "bottom")


def layer_map(spec: str | Sequence[int], student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Returns (g(1), …, g(M)) for a student of M layers and a teacher of N.

    Args:
        spec: "uniform" for ceil(m·N/M), the last layer of each of M blocks; "top" for the last M layers; "bottom" for
            the first M; or M explicit teacher layers, as a sequence or as text ("2,3,5,6").
        student_layers: M, the number of the student's layers.
        teacher_layers: N, the number of the teacher's layers.

    Raises:
        InputError: The strategy is unknown, the count is wrong, a layer is outside 1…N, or the layers go down.
    """
    m, n = student_layers, teacher_layers
    if isinstance(spec, str) and spec not in STRATEGIES:
        try:
            spec = [int(part) for part in spec.split(",")]
        except ValueError:
            names = ", ".join(STRATEGIES)
            raise InputError("layer_map", repr(spec), f"{names}, or layers such as 2,3,5,6") from None
    if not isinstance(spec, str):
        if len(spec) != m:
            raise InputError("layer_map", _text(spec), f"{m} teacher layers, one for each student layer")
        if any(not 1 <= layer <= n for layer in spec):
            raise InputError("layer_map", _text(spec), f"teacher layers from 1 to {n}")
        if list(spec) != sorted(spec):
            raise InputError("layer_map", _text(spec), "teacher layers that do not go down")
        return tuple(int(layer) for layer in spec)
    if spec == "uniform":
        return tuple(-(-i * n // m) for i in range(1, m + 1))
    if m > n:
        raise InputError(
            "layer_map", f"{spec!r} for {m} student and {n} teacher layers", "at most as many as the teacher has"
        )
    start = n - m if spec == "top" else 0
    return tuple(range(start + 1, start + m + 1))


def _text(spec: Sequence[int]) -> str:
    return ",".join(str(layer) for layer in spec)


@dataclasses.dataclass(frozen=True)
class Match:
    """One comparison of the two models: λ times a loss between a student layer and a teacher layer.

    Args:
        loss: The loss; it says which feature it compares, and whether that needs a projection W or equal heads.
        student_layer: Number of the student's layer, from 1; 0 for the embedding output, None for the whole model.
        teacher_layer: Number of the teacher's layer, likewise.
        weight: λ, which is not 0.
    """

    loss: Loss
    student_layer: int | None
    teacher_layer: int | None
    weight: float

    @property
    def name(self) -> str:
        """Name of the weighted sum over layers that this match goes into, as it is logged."""
        return f"{self.loss.name}_loss"

    @property
    def given_as(self) -> str:
        """Name under which a batch may hold the teacher's side of it."""
        return self.loss.feature.given_as(self.teacher_layer)

    @property
    def layer_name(self) -> str | None:
        """Name under which `evaluate` logs this match alone; None where its sum has no other parts."""
        return f"{self.name}_{self.student_layer}" if self.student_layer else None


def all_matches(losses: list[Loss], layer_map: tuple[int, ...], weights: LossWeights) -> list[Match]:
    """Returns what the losses compare, in their order; a weight of 0 matches nothing.

    Raises:
        InputError: Weights by layer are given, but not one per student layer.
    """
    matches = []
    for loss in losses:
        pairs, given = loss.layers(layer_map), getattr(weights, loss.name)
        by_layer = given if isinstance(given, (tuple, list)) else [given] * len(pairs)
        if len(by_layer) != len(pairs):
            expected = f"one, or {len(pairs)}: one per student layer"
            raise InputError(f"{loss.name}_weight", f"{len(by_layer)} numbers", expected)
        matches += [Match(loss, *pair, weight) for pair, weight in zip(pairs, by_layer) if weight]
    return matches
