"""Streaming statistics: merged parts are the whole, and the gamma fit finds the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from algorithms.statistics import (
    ThicknessCounts,
    ThicknessStatistics,
    add_thickness,
    count_outliers,
    count_thickness,
    fit_gamma,
    is_outlier,
    merge_counts,
    merge_statistics,
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
    for name in set(ThicknessStatistics.__slots__) - {"spans"}:
        assert getattr(merged, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)
    assert merged.spans == whole.spans


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
    assert fit_gamma(stream([10.0, 10.0 + 1e-4, 10.0 - 1e-4, 10.0])) is None


def counted(values: list[float]) -> ThicknessCounts:
    counts = ThicknessCounts()
    for value in values:
        counts = count_thickness(counts, value)
    return counts


@given(thicknesses, thicknesses)
@settings(max_examples=60, deadline=None)
def test_merged_counts_are_those_of_the_whole(first: list[float], second: list[float]) -> None:
    """A + B counts what the concatenation counts, exactly: whole numbers in fixed bins."""
    merged, whole = merge_counts(counted(first), counted(second)), counted(first + second)
    assert dict(merged.numbers) == dict(whole.numbers)


@given(thicknesses, st.floats(min_value=0.5, max_value=4.0))
@settings(max_examples=60, deadline=None)
def test_outliers_are_counted_at_any_chosen_z(values: list[float], threshold: float) -> None:
    """The streamed count is the number of slices beyond the chosen z-score of the whole run, one by one."""
    state = stream(values)
    beyond = sum(is_outlier(state, value, threshold) for value in values)
    assert count_outliers(counted(values), state, threshold) == beyond
    exact = [abs(z_score(state, value)) for value in values if state.squares > 0.0]
    slack = 0.006 / state.sigma_nm if exact else 0.0
    assert sum(z > threshold + slack for z in exact) <= beyond <= sum(z > threshold - slack for z in exact)


def test_outliers_lie_on_both_sides_and_nan_is_none() -> None:
    """|z| above the threshold; the mean of several slices is judged by its own, smaller scatter."""
    state = stream([8.0, 10.0, 12.0, 10.0])
    assert z_score(state, 10.0) == 0.0
    assert [is_outlier(state, value, 1.5) for value in (10.0, 13.0, 7.0, np.nan)] == [
        False,
        True,
        True,
        False,
    ]
    assert not is_outlier(state, 12.0, 1.5)
    assert is_outlier(state, 12.0, 1.5, mean_of_slices=4)
    assert np.isnan(z_score(stream([10.0]), 10.0))


def test_means_of_several_slices_count_as_what_they_are() -> None:
    """A third of the measurements are means of 2 to 6 slices: mean, σ and gamma shape of *single* slices come
    out unbiased with right errors, where counting a mean as one slice makes σ a fifth too small."""
    rng, shape, scale = np.random.default_rng(3), 10.6, 0.96
    fits, sigmas, naive, pulls = [], [], [], []
    for _ in range(200):
        spans = np.where(rng.random(150) < 1 / 3, rng.integers(2, 7, 150), 1)
        values = rng.gamma(shape * spans, scale) / spans
        state = ThicknessStatistics()
        for value, slices in zip(values, spans, strict=True):
            state = add_thickness(state, float(value), int(slices))
        fits.append(fit_gamma(state))
        sigmas.append(state.sigma_nm)
        naive.append(stream(list(values)).sigma_nm)
        pulls.append((state.mean_nm - shape * scale) / state.mean_sigma_nm)
    true_sigma = shape**0.5 * scale
    assert np.mean(sigmas) == pytest.approx(true_sigma, rel=0.02)
    assert np.mean(naive) < 0.9 * true_sigma
    assert 0.85 < np.std(pulls) < 1.15
    shapes = np.array([(fit.shape - shape) / fit.shape_sigma for fit in fits if fit is not None])
    assert shapes.size == 200
    assert abs(np.mean(shapes)) < 0.3
    assert 0.85 < np.std(shapes) < 1.2


def test_the_gamma_fit_of_means_is_the_maximum_of_their_likelihood() -> None:
    """Shape and scale are where the likelihood of the sums, gamma of k times the shape, is largest."""
    rng = np.random.default_rng(4)
    spans = rng.integers(1, 5, 80)
    sums = rng.gamma(10.6 * spans, 0.96)
    state = ThicknessStatistics()
    for total, slices in zip(sums, spans, strict=True):
        state = add_thickness(state, float(total / slices), int(slices))
    fit = fit_gamma(state)
    assert fit is not None

    def likelihood(shape: float, scale: float) -> float:
        return float(stats.gamma.logpdf(sums, shape * spans, scale=scale).sum())

    best = likelihood(fit.shape, fit.scale_nm)
    for shape, scale in ((1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99), (1.01, 0.99), (0.99, 1.01)):
        assert likelihood(shape * fit.shape, scale * fit.scale_nm) < best
