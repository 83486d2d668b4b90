"""The layer map g(m): which teacher layer each student layer imitates (paper, section 3.1).

Layers are numbered as in the paper: from 1, with 0 for the embedding output.
"""

from collections.abc import Sequence

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
        return tuple(spec)
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
