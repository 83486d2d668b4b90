"""Each part of the closed form beside NumPy's own, or beside the definition, tried by hand."""

import numpy as np
import pytest

from tinybert_tf.distillation.closed_form.least_squares import (
    Sums,
    product_svd,
    ridge_solve,
    select_inputs,
    square_root,
)


@pytest.fixture
def data():
    """Rows x [500, 7], of which the last two nearly follow from others, and y [500, 3]."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 7)) * [3, 1, 2, 1, 1, 1, 1] + 5
    x[:, 5] = x[:, 0] - x[:, 1] + 0.01 * x[:, 5]
    x[:, 6] = x[:, 2] + 0.1 * x[:, 6]
    return x, x @ rng.normal(size=(7, 3)) + rng.normal(size=(500, 3)) + [1, -20, 3]


def sums_of(x, y, ridge=1e-4, parts=4):
    sums = Sums(ridge)
    for rows in np.array_split(np.arange(len(x)), parts):
        sums.add(x[rows], y[rows])
    return sums


def test_regression(data):
    x, y = data
    kernel, bias = sums_of(x, y, ridge=0.0).solve()
    expected = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    np.testing.assert_allclose(np.r_[kernel, bias[None]], expected, rtol=1e-6)


def test_ridge_regression(data):
    x, y = data
    sums = sums_of(x, y, ridge=0.1)
    np.testing.assert_allclose(sums.covariance, np.cov(x.T, bias=True), rtol=1e-9)
    centred, strength = x - x.mean(0), 0.1 * x.var(0).mean() * len(x)
    augmented = np.r_[centred, np.sqrt(strength) * np.eye(7)]
    expected = np.linalg.lstsq(augmented, np.r_[y - y.mean(0), np.zeros((7, 3))], rcond=None)[0]
    np.testing.assert_allclose(sums.solve()[0], expected, rtol=1e-9)


def test_sums_do_not_depend_on_the_parts(data):
    x, y = data
    np.testing.assert_allclose(sums_of(x, y, parts=9).solve()[0], sums_of(x, y, parts=1).solve()[0], rtol=1e-9)


def test_a_constant_input_has_no_weight(data):
    x, y = data
    x = x.copy()
    x[:, 3] = 2.0
    assert np.isfinite(sums_of(x, y).solve()[0]).all()
    assert np.allclose(ridge_solve(np.zeros((2, 2)), np.zeros((2, 1)), 1e-4), 0)


def test_square_root(data):
    matrix = np.cov(data[0].T)
    root, inverse = square_root(matrix)
    np.testing.assert_allclose(root @ root, matrix, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(root @ inverse, np.eye(7), atol=1e-9)
    assert np.isfinite(square_root(np.diag([1.0, 0.0, -1e-20]))[1]).all()


def test_product_of_low_rank():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    ours = np.matmul(*[half if i == 0 else half.T for i, half in enumerate(product_svd(left, right, 3))])
    u, values, v = np.linalg.svd(left @ right.T)
    np.testing.assert_allclose(ours, u[:, :3] * values[:3] @ v[:3], atol=1e-12)


def unexplained(covariance, cross, spread, taken):
    """Variance of the outputs that the taken inputs leave."""
    part = cross[taken]
    return spread - np.trace(part.T @ np.linalg.solve(covariance[np.ix_(taken, taken)], part))


def test_inputs_are_taken_by_what_they_add(data):
    """The first step takes what each input does alone; of two that do the same it takes one."""
    x, y = data
    both = np.cov(np.c_[x, y].T)
    covariance, cross, spread = both[:7, :7], both[:7, 7:], np.trace(both[7:, 7:])
    alone = [unexplained(covariance, cross, spread, [i]) for i in range(7)]
    assert select_inputs(covariance, cross, 1, ridge=0.0).tolist() == [int(np.argmin(alone))]
    pairs = np.tile(covariance, (2, 2)) + 1e-9 * np.eye(14)
    taken = select_inputs(pairs, np.tile(cross, (2, 1)), 6, ridge=0.0)
    assert len({i % 7 for i in taken}) == 6


def test_taken_inputs_explain_more_than_the_largest():
    """Forty large inputs say the same four things; twenty small ones say one more each."""
    rng = np.random.default_rng(2)
    large = 3 * rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 40)) + 0.1 * rng.normal(size=(4000, 40))
    small = rng.normal(size=(4000, 20))
    inputs = np.c_[large, small]
    y = np.c_[large[:, :4], small @ rng.normal(size=(20, 8))]
    both = np.cov(np.c_[inputs, y].T)
    covariance, cross, spread = both[:60, :60], both[:60, 60:], np.trace(both[60:, 60:])
    taken = select_inputs(covariance, cross, 24)
    assert len(set(taken)) == 24 and list(taken) == sorted(taken)
    left = unexplained(covariance, cross, spread, list(taken))
    assert left < 0.01 * unexplained(covariance, cross, spread, list(range(24)))
