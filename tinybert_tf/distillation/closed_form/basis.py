"""Which directions of the teacher's residual stream the student has, and how its coordinates lie in them."""

import numpy as np


def student_basis(covariance: np.ndarray, gamma: np.ndarray, width: int) -> np.ndarray:
    """Returns the directions of the student's coordinates, orthonormal columns `[teacher's width, width]`.

    They span the leading principal directions. Within that space, two things tell coordinates apart, both because of
    layer norm. It multiplies each by its gamma: the coordinates are those in which the teacher's gamma is diagonal,
    like the student's. And it takes away their mean: the last of the principal directions, which varies least, is
    mirrored to (1, …, 1)/√width, so nothing else is lost. The mirror moves the other coordinates by some 1/width.

    Args:
        covariance: Covariance of the hidden states, summed over layers, `[width, width]` of the teacher.
        gamma: The teacher's gamma, a mean over the layer norms between its layers, `[width]`.
        width: The student's width, at most the teacher's.
    """
    if width == len(covariance):
        return np.eye(width)
    leading = np.linalg.eigh(covariance)[1][:, ::-1][:, :width]
    most, last = leading[:, :-1], leading[:, -1:]
    most = most @ np.linalg.eigh(most.T @ (gamma[:, None] * most))[1]
    mirror = np.full(width, width**-0.5)
    mirror[-1] -= 1.0
    mirror /= max(np.linalg.norm(mirror), np.finfo(np.float64).tiny)
    return np.concatenate([most, last], 1) @ (np.eye(width) - 2 * np.outer(mirror, mirror))
