"""The layer map g(m): which teacher layer each student layer imitates (paper, section 3.1), and what is compared.

Layers are numbered as in the paper: from 1, with 0 for the embedding output.
"""

import dataclasses
from collections.abc import Sequence

from tinybert_tf.configs import LossWeights
from tinybert_tf.errors import InputError

STRATEGIES = ("uniform", "top", "bottom")


def layer_map(spec: str | Sequence[int], student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Returns (g(1), …, g(M)) for a student of M layers and a teacher of N.

    Args:
        spec: "uniform", ceil(m·N/M): the last layer of each of M blocks; "top", the last M layers; "bottom", the
            first M; or M explicit teacher layers, as a sequence or as text ("2,3,5,6").
        student_layers: M.
        teacher_layers: N.

    Raises:
        InputError: an unknown strategy, a wrong count, a layer outside 1…N, or layers that go down.
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
        loss: name of the sum it goes into.
        student_layer: from 1; 0 is the embedding output.
        teacher_layer: likewise.
        weight: λ, not 0.
    """

    loss: str
    student_layer: int
    teacher_layer: int
    weight: float


def intermediate_matches(layer_map: tuple[int, ...], weights: LossWeights) -> list[Match]:
    """Returns what embedding, hidden and attention losses compare; weights of 0 are left out.

    Raises:
        InputError: the weights by layer are not one for each student layer.
    """
    matches = [Match("embedding_loss", 0, 0, weights.embedding)]
    for name, given in (("hidden_loss", weights.hidden), ("attention_loss", weights.attention)):
        by_layer = given if isinstance(given, (tuple, list)) else [given] * len(layer_map)
        if len(by_layer) != len(layer_map):
            argument = name.replace("loss", "weight")
            raise InputError(argument, f"{len(by_layer)} numbers", f"one, or {len(layer_map)}: one a student layer")
        matches += [Match(name, m, g, w) for m, (g, w) in enumerate(zip(layer_map, by_layer), start=1)]
    return [match for match in matches if match.weight]
