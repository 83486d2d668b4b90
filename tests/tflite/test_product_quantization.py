"""Product quantization of a token table: rows that are whole, rows that are near, and what nearness rests on."""

import numpy as np
import pytest

from tinybert_tf.tflite.product_quantization import GROUP, POINTS, product_quantize

WHOLE = np.array([3, 900, 17])


def table_of(dim, pieces=1200, decay=0.1, seed=0):
    """Returns a table whose principal axes are no coordinates; the variance of each is smaller than the last one's."""
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(dim, dim)))[0]
    return (random.normal(size=(pieces, dim)) * np.exp(-decay * np.arange(dim)) @ turn + 0.3).astype(np.float32)


def decoded(parts, rows=True):
    """Returns the table that the parts stand for, straight from their definition."""
    groups = len(parts.points)
    near = np.concatenate([parts.points[j][parts.codes[:, j]] for j in range(groups)], 1) @ parts.axes + parts.mean
    return near + parts.rows[parts.places] if rows else near


def lost(table, parts):
    """Returns the share of variance that the rows without a row of their own lose."""
    others = np.setdiff1d(np.arange(len(table)), WHOLE)
    difference = (decoded(parts) - table)[others]
    return (difference**2).sum() / ((table[others] - table[others].mean(0)) ** 2).sum()


@pytest.mark.parametrize("dim", [GROUP, 24, 29])
def test_whole_rows_are_exact_and_others_near(dim):
    """One bit per weight leaves a quarter of the variance of white noise, and less of a table with leading axes."""
    table = table_of(dim)
    parts = product_quantize(table, WHOLE)
    assert parts.codes.dtype == np.uint8 and parts.codes.shape == (1200, -(-dim // GROUP))
    np.testing.assert_allclose(decoded(parts)[WHOLE], table[WHOLE], rtol=0, atol=1e-6 * np.abs(table).max())
    assert not parts.rows[0].any() and list(parts.places[WHOLE]) == [1, 2, 3] and (parts.places > 0).sum() == 3
    assert lost(table, parts) < 0.25
    assert np.abs(decoded(parts, rows=False)[WHOLE] - table[WHOLE]).max() > 1e-3


def test_the_axes_are_dealt_out():
    """Groups of neighbouring axes, as sorted, would lose more: the first would need more than one byte."""
    table = table_of(32, decay=0.2)
    axes = product_quantize(table, WHOLE).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(32), atol=0.02)  # they are rounded to int8
    variances = np.log(((table - table.mean(0)) @ axes.T).var(0)).reshape(-1, GROUP).sum(1)
    assert np.ptp(variances) < 4  # of sorted axes, the first and the last group are 0.4 · 8 · 24 = 77 apart
    assert lost(table, product_quantize(table, WHOLE)) < 0.12


def test_the_same_every_time():
    first, second = (product_quantize(table_of(24), WHOLE) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_equal_rows():
    """Pieces that no text has trained often share a row; there are then fewer different rows than points."""
    table = table_of(16)
    table[100:] = table[np.arange(100, 1200) % 100]
    parts = product_quantize(table, WHOLE)
    assert lost(table, parts) < 0.01 and parts.points.shape == (2, POINTS, GROUP)
