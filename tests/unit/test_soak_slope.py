"""The slope that the soak benchmark reports: the true one, unmoved by spikes, with an honest error."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.soak import slope


@given(true=st.floats(-2.0, 2.0), offset=st.floats(-100.0, 1000.0), size=st.integers(16, 300))
def test_a_line_is_recovered_exactly(true: float, offset: float, size: int) -> None:
    """Memory on a straight line has that slope, with no error."""
    x = np.arange(size, dtype=np.float64)
    found, error = slope(x, offset + true * x)
    np.testing.assert_allclose([found, error], [true, 0.0], atol=1e-9 * (1.0 + abs(offset)))


def test_spikes_do_not_move_it() -> None:
    """A short use of much memory within a block is no growth."""
    x, rng = np.arange(400.0), np.random.default_rng(5)
    y = 300.0 + 0.01 * x + rng.normal(0.0, 0.5, 400)
    y[rng.choice(400, 40, replace=False)] += 500.0
    found, error = slope(x, y)
    assert abs(found - 0.01) < 4.0 * error
    assert error < 0.005


def test_the_error_is_that_of_repeated_runs() -> None:
    """Over many runs the mean of the squared error that is told is near the scatter of the slopes."""
    x, rng = np.arange(200.0), np.random.default_rng(6)
    told = np.array([slope(x, rng.normal(0.0, 1.0, 200)) for _ in range(300)])
    ratio = np.sqrt(np.mean(told[:, 1] ** 2)) / np.std(told[:, 0])
    assert 0.7 < ratio < 1.6
