"""Least squares on data that comes in batches: sums whose size does not depend on the number of rows."""

import numpy as np

_STEP = 8  # inputs that `select_inputs` takes at a time


class Sums:
    """The sums over rows that a linear regression of y on x needs. Products are float32, sums float64.

    Args:
        ridge: Strength of the penalty on squared weights, relative to the mean variance of x.
    """

    def __init__(self, ridge: float = 1e-4):
        self.ridge, self.rows = ridge, 0
        self.x = self.y = self.xx = self.xy = 0.0

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Adds rows: x `[rows, inputs]` and y `[rows, outputs]`."""
        self.rows += len(x)
        self.x = self.x + x.sum(0, dtype=np.float64)
        self.y = self.y + y.sum(0, dtype=np.float64)
        self.xx = self.xx + x.T @ x
        self.xy = self.xy + x.T @ y

    @property
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """The means of x and y."""
        return self.x / self.rows, self.y / self.rows

    @property
    def covariance(self) -> np.ndarray:
        """The covariance of x, `[inputs, inputs]`."""
        mean = self.x / self.rows
        return self.xx / self.rows - np.outer(mean, mean)

    @property
    def cross_covariance(self) -> np.ndarray:
        """The covariance of x with y, `[inputs, outputs]`."""
        return self.xy / self.rows - np.outer(*self.means)

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns kernel `[inputs, outputs]` and bias `[outputs]` of the least squared error."""
        kernel = ridge_solve(self.covariance, self.cross_covariance, self.ridge)
        mean_x, mean_y = self.means
        return kernel, mean_y - mean_x @ kernel


def ridge_solve(covariance: np.ndarray, cross: np.ndarray, ridge: float) -> np.ndarray:
    """Returns the kernel of a ridge regression, `[inputs, outputs]`, from the covariances."""
    strength = ridge * np.trace(covariance) / len(covariance) + np.finfo(np.float64).tiny
    return np.linalg.solve(covariance + strength * np.eye(len(covariance)), cross)


def square_root(matrix: np.ndarray, floor: float = 1e-8) -> tuple[np.ndarray, np.ndarray]:
    """Returns the symmetric square root of a covariance and its inverse; `floor` bounds the eigenvalues from below.

    Args:
        matrix: The covariance.
        floor: Smallest eigenvalue, relative to the mean one.
    """
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, floor * max(values.mean(), np.finfo(np.float64).tiny)))
    return vectors * roots @ vectors.T, vectors / roots @ vectors.T


def product_svd(left: np.ndarray, right: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns two matrices of `rank` columns whose product is closest to `left @ right.T`, both `[rows, columns]`."""
    (left_basis, left_part), (right_basis, right_part) = np.linalg.qr(left), np.linalg.qr(right)
    u, values, v = np.linalg.svd(left_part @ right_part.T)
    halves = np.sqrt(values[:rank])
    return left_basis @ u[:, :rank] * halves, right_basis @ v[:rank].T * halves


def select_inputs(covariance: np.ndarray, cross: np.ndarray, count: int, ridge: float = 1e-4) -> np.ndarray:
    """Returns the `count` inputs of a regression that explain its outputs best, in ascending order.

    Orthogonal matching pursuit: each step takes the inputs that lower the squared error most, given those taken.

    Args:
        covariance: Covariance of the inputs, `[inputs, inputs]`.
        cross: Covariance of inputs and outputs, `[inputs, outputs]`.
        count: Number of inputs to take, at most `inputs`.
        ridge: Penalty, relative to the mean variance.
    """
    left = np.diag(covariance) + ridge * np.trace(covariance) / len(covariance)
    floor = 1e-10 * left.max()
    unexplained, factor = cross.copy(), np.zeros((len(cross), count))
    taken, done = np.zeros(len(cross), bool), 0
    while done < count:
        gain = np.where(taken, -1.0, np.square(unexplained).sum(1) / np.maximum(left, floor))
        before, first = left.copy(), done
        solved = np.zeros((min(_STEP, count - done), unexplained.shape[1]))
        for best in np.argsort(-gain, kind="stable")[: len(solved)]:
            if left[best] < 0.5 * before[best] and done > first:
                continue  # another one that this step took does what it does
            root = np.sqrt(max(left[best], floor))
            column = (covariance[:, best] - factor[:, :done] @ factor[best, :done]) / root
            column[best] = root
            solved[done - first] = (unexplained[best] - factor[best, first:done] @ solved[: done - first]) / root
            factor[:, done] = column
            left = left - np.square(column)
            taken[best] = True
            done += 1
        unexplained -= factor[:, first:done] @ solved[: done - first]
    return np.flatnonzero(taken)
