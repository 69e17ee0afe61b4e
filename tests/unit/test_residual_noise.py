"""What a fit of patches takes out of its residuals, against the formulas written out with dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.patch_fit import without_ramps
from algorithms.residual_noise import SMOOTHED_LAG_PX, padded_shape, stripe_predictor

SMOOTHING_PX = 1.4


def test_stripes_are_predicted_as_by_the_mixed_models_equations() -> None:
    """(N + f·K⁻¹)⁻¹ of C. R. Henderson, Biometrics 31 (1975) 423; lines outside have no stripes."""
    rng = np.random.default_rng(0)
    lines = np.arange(3, 23)
    distance = np.abs(np.subtract.outer(lines, lines))
    covariance, precision = 4.0 * np.exp(-distance / 5.0), rng.uniform(10.0, 200.0, lines.size)
    sums = rng.normal(size=(2, 30))
    noisier = 2.0 * np.sqrt(np.pi) * SMOOTHING_PX
    expected = np.zeros_like(sums)
    dense = np.diag(precision) + noisier * np.linalg.inv(covariance)
    expected[:, lines] = np.linalg.solve(dense, sums[:, lines].T).T
    found = stripe_predictor(lines, covariance, precision, SMOOTHING_PX).predicted(sums)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_without_a_covariance_there_are_no_stripes() -> None:
    """As when a profile is no rougher than its noise."""
    predictor = stripe_predictor(np.arange(5), np.zeros((5, 5)), np.ones(5), SMOOTHING_PX)
    assert not predictor.predicted(np.ones((1, 8))).any()


def test_ramps_are_taken_out_as_by_weighted_least_squares() -> None:
    """What is left is orthogonal to 1 and both slopes; the coefficients are those of the ramps put in."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1.0:1.0:31j, -1.0:1.0:40j]
    precision = rng.uniform(0.0, 2.0, y.shape)
    stack = np.stack([3.0 - 2.0 * y + 0.5 * x, rng.normal(size=y.shape)])
    left, coefficients = without_ramps(stack, precision)
    np.testing.assert_allclose(coefficients[0], (3.0, -2.0, 0.5), atol=1e-9)
    for ramp in (np.ones_like(y), y, x):
        np.testing.assert_allclose((left * precision * ramp).sum((1, 2)), 0.0, atol=1e-8)


@pytest.mark.parametrize("size_px", [24, 25, 441, 449, 571])
def test_transforms_are_padded_for_the_longest_correlation(size_px: int) -> None:
    """An even length, so that the last column of a real transform is Nyquist's."""
    (length,) = padded_shape((size_px,))
    assert length % 2 == 0
    assert size_px + min(size_px, SMOOTHED_LAG_PX) <= length <= 1.3 * (size_px + SMOOTHED_LAG_PX)
