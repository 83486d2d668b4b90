"""A token table of 1 bit per weight, in which frequent pieces keep rows of 8: product quantization.

A row is cut into groups of 8 coordinates, and each group is stored as the number of the nearest of 256 points, one byte
(Jégou, Douze & Schmid 2011). Before that, the table is turned to its principal axes, which are dealt out so that the
variances of each group have about the same product: the parametric solution of optimized product quantization (Ge, He,
Ke & Sun 2013). The row of a frequent piece is its difference to what its codes stand for.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

GROUP = 8  # coordinates
POINTS = 256  # per group, so that a code is a byte
_ITERATIONS = 15  # of k-means
_ROWS = 20_000  # that points are fitted to


class ProductQuantizedTable(NamedTuple):
    """The parts of such a table of shape `[pieces, dim]`, in float32 where nothing else is said.

    A piece's row is `concatenate(points[j, codes[piece, j]] for each group j) @ axes + mean + rows[places[piece]]`.

    Attributes:
        codes: Number of the point per piece and group, uint8 `[pieces, groups]`.
        points: `[groups, 256, 8]`.
        axes: The direction that each coordinate stands for, `[groups · 8, dim]`; zeros where there are more coordinates
            than directions.
        mean: `[dim]`.
        places: Place in `rows` of each piece, int32 `[pieces]`; 0 for pieces without a row.
        rows: `[1 + whole, dim]`, the first one zeros.
    """

    codes: np.ndarray
    points: np.ndarray
    axes: np.ndarray
    mean: np.ndarray
    places: np.ndarray
    rows: np.ndarray


def stored_bytes(pieces: int, dim: int, whole: int) -> int:
    """Returns the bytes of such a table in a file of 8 bits per weight; a plain one has `pieces · dim`."""
    groups = -(-dim // GROUP)
    return pieces * (groups + 4) + groups * GROUP * (POINTS + dim) + (1 + whole) * dim


def product_quantize(table: np.ndarray, whole: np.ndarray, seed: int = 0) -> ProductQuantizedTable:
    """Returns a table's parts. The points are those of the rows that are not whole.

    Points and axes are multiples of their largest magnitude / 127, as int8 stores them, so that the differences of
    whole rows make up for that rounding.

    Args:
        table: `[pieces, dim]`; at least 256 rows that are not whole.
        whole: Ids of the pieces that keep rows of their own.
        seed: Seed of the points' start.
    """
    random = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(len(table)), whole)
    mean = table[others].mean(0)
    axes = _axes(table[others] - mean)
    turned = ((table - mean) @ axes.T).reshape(len(table), -1, GROUP)
    groups = turned.shape[1]
    sample = others if len(others) <= _ROWS else random.choice(others, _ROWS, replace=False)
    starts = [turned[random.choice(sample, POINTS, replace=False), j] for j in range(groups)]
    points = np.stack([_fitted(turned[sample, j], start) for j, start in enumerate(starts)])
    points, axes = _rounded(points, axis=None), _rounded(axes, axis=0)
    codes = np.stack([_nearest(turned[:, j], points[j]) for j in range(groups)], 1).astype(np.uint8)
    near = points[np.arange(groups), codes[whole]].reshape(len(whole), -1) @ axes + mean
    places = np.zeros(len(table), np.int32)
    places[whole] = 1 + np.arange(len(whole))
    rows = np.concatenate([np.zeros_like(table[:1]), table[whole] - near])
    return ProductQuantizedTable(codes, points, axes, mean, places, rows)


def _rounded(values: np.ndarray, axis: int | None) -> np.ndarray:
    """Returns the values as int8 stores them, with one scale for what lies along the axis, or for all."""
    scale = np.maximum(np.abs(values).max(axis, keepdims=True), 1e-12) / 127
    return (np.round(values / scale) * scale).astype(np.float32)


def _axes(centred: np.ndarray) -> np.ndarray:
    """Returns the principal axes by group, `[groups · 8, dim]`: each goes to the group with the smallest product."""
    dim = centred.shape[1]
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variances, directions = variances[::-1], directions[:, ::-1]
    logs = np.log(np.maximum(variances, 1e-9 * variances[0]))
    logs -= logs.min()  # so that a further axis never makes a product smaller
    members = [[] for _ in range(-(-dim // GROUP))]
    products = np.zeros(len(members))
    for i in range(dim):
        room = [j for j, group in enumerate(members) if len(group) < GROUP]
        j = min(room, key=lambda j: (products[j], len(members[j])))
        members[j].append(i)
        products[j] += logs[i]
    axes = np.zeros((len(members), GROUP, dim), np.float32)
    for j, group in enumerate(members):
        axes[j, : len(group)] = directions[:, group].T
    return axes.reshape(-1, dim)


def _fitted(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # points that are nearest to no value stay
        return kmeans2(values, start, iter=_ITERATIONS, minit="matrix")[0]


def _nearest(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the number of the nearest point to each value, by squared distance less what all points share."""
    return np.argmin((points**2).sum(1) - 2 * values @ points.T, axis=1)
