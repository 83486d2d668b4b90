"""How far two computations of the same numbers may differ: relative to their size, so that every processor passes."""

import numpy as np

FLOAT32 = 3e-6
"""Fifty roundings (2**-24 each). Tiny models lose less than 6e-7 with SSE4, AVX and AVX2, with and without oneDNN."""

REAL_WEIGHTS = 1e-5
"""Six to twelve layers of real weights in float32, up to 512 tokens, lose about 1e-6; at most 1.9e-6 with AVX-512."""


def relative_error(ours, reference):
    """The rms of the difference divided by the rms of the reference; `inf` if a number is not finite.

    A single place may be off by ten times as much: `[128, 3]` tokens of MiniLM have one ill-conditioned row, a padding
    token, that multiplies rounding by 10 to 30. So a tenth of the largest difference, divided by the largest
    number, counts if it is larger.
    """
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    assert ours.shape == reference.shape, f"shape {ours.shape}; expected {reference.shape}"
    difference = np.abs(ours - reference)
    if not difference.any():  # also where all numbers are 0
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        rms = np.sqrt(np.square(difference).mean() / np.square(reference).mean())
        error = max(rms, difference.max() / np.abs(reference).max() / 10)
    return float(error) if np.isfinite(error) else np.inf


def assert_close(ours, reference, relative=FLOAT32):
    """Fails, with the error that was measured, where `relative_error` exceeds `relative`."""
    error = relative_error(ours, reference)
    assert error <= relative, f"relative error {error:.2e}; expected at most {relative:.0e}"
