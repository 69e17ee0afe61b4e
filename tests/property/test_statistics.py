"""Streaming statistics: merged parts are the whole, and the gamma fit finds the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from algorithms.statistics import (
    ThicknessStatistics,
    add_thickness,
    fit_gamma,
    merge_statistics,
    outliers,
    z_score,
)

thicknesses = st.lists(st.floats(min_value=-2.0, max_value=60.0), max_size=30)


def stream(values: list[float]) -> ThicknessStatistics:
    state = ThicknessStatistics()
    for value in values:
        state = add_thickness(state, value)
    return state


@given(thicknesses, thicknesses)
@settings(max_examples=60, deadline=None)
def test_two_parts_merged_are_the_whole(first: list[float], second: list[float]) -> None:
    """A + B has every number of the concatenation, up to rounding."""
    merged, whole = merge_statistics(stream(first), stream(second)), stream(first + second)
    for name in ThicknessStatistics.__slots__:
        assert getattr(merged, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(min_value=0.5, max_value=60.0), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_moments_are_those_of_the_batch(values: list[float]) -> None:
    """Streaming mean and σ equal numpy's on all values at once."""
    state = stream(values)
    assert state.mean_nm == pytest.approx(np.mean(values))
    assert state.sigma_nm == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert (state.smallest_nm, state.largest_nm) == (min(values), max(values))


def test_the_gamma_fit_is_the_maximum_likelihood_fit() -> None:
    """Shape and scale equal scipy's maximum-likelihood fit with the location fixed at 0."""
    values = np.random.default_rng(1).gamma(10.6, 0.96, 300)
    fit = fit_gamma(stream(list(values)))
    shape, _, scale = stats.gamma.fit(values, floc=0.0)
    assert fit is not None
    assert fit.shape == pytest.approx(shape, rel=1e-6)
    assert fit.scale_nm == pytest.approx(scale, rel=1e-6)


def test_the_gamma_fit_knows_its_error() -> None:
    """Over 300 series of 100 slices the true shape lies within the claimed 1 σ about 68 % of the time."""
    rng = np.random.default_rng(2)
    fits = [fit_gamma(stream(list(rng.gamma(10.6, 0.96, 100)))) for _ in range(300)]
    deviations = np.array([(fit.shape - 10.6) / fit.shape_sigma for fit in fits if fit is not None])
    assert deviations.size == 300
    assert 0.58 < np.mean(np.abs(deviations) < 1.0) < 0.78


def test_unmeasured_slices_change_nothing_and_thin_ones_do_not_break_the_fit() -> None:
    """NaN is skipped; a thickness at or below 0 counts for the moments, not for the gamma fit."""
    state = stream([9.0, 10.0, 12.0])
    assert add_thickness(state, float("nan")) == state
    fit, same = fit_gamma(state), fit_gamma(add_thickness(state, -0.2))
    assert fit == same
    assert fit_gamma(stream([10.0, 10.0, 10.0])) is None


def test_outliers_are_counted_from_the_mean_in_sigmas() -> None:
    """|z| above the threshold, both sides; NaN is no outlier."""
    state = stream([8.0, 10.0, 12.0, 10.0])
    assert z_score(state, 10.0) == 0.0
    found = outliers(state, np.array([10.0, 13.0, 7.0, np.nan]), 1.5)
    assert found.tolist() == [False, True, True, False]
    assert np.isnan(z_score(stream([10.0]), 10.0))
