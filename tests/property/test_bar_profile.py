"""One bar: its centre at any sub-pixel place, and the error that the noise allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.bar_profile import Profile, bar_shape, centre_bound_px, column_profile, fit_bar
from algorithms.stripe_noise import (
    NO_STRIPES,
    Stripes,
    most_likely,
    stripe_covariance,
    stripe_evidence,
)
from benchmarks.ruler_scene import bar_signal

X = np.arange(80.0)


@given(
    centre=st.floats(30.0, 50.0),
    width=st.floats(12.0, 36.0),
    blur=st.floats(0.4, 3.0),
    contrast=st.sampled_from([-40.0, 25.0, 90.0]),
)
@settings(max_examples=40, deadline=None)
def test_without_noise_the_centre_is_exact(centre: float, width: float, blur: float, contrast: float) -> None:
    """Any sub-pixel place, width, focus and polarity, on a sloping background: right to 0.01 px."""
    value = 60.0 + 0.1 * X + contrast * bar_signal(X, centre, width, blur)
    profile = Profile(X, value, np.full(80, 0.01))
    fit = fit_bar(profile, round(centre), width * 1.05, 1.5, np.diag(profile.variance))
    assert fit.converged
    assert fit.centre_px == pytest.approx(centre, abs=0.01)
    assert fit.amplitude == pytest.approx(contrast, rel=0.05)


def test_the_derivatives_of_the_bar_are_its_differences() -> None:
    """Analytic slopes against central differences."""
    at = np.array([40.3, 21.7, 1.4])
    _, slopes = bar_shape(X, *at)
    for index in range(3):
        step = np.zeros(3)
        step[index] = 1e-5
        difference = (bar_shape(X, *(at + step))[0] - bar_shape(X, *(at - step))[0]) / 2e-5
        assert slopes[index] == pytest.approx(difference, abs=1e-6)


def test_errors_are_the_claimed_ones_and_reach_the_bound() -> None:
    """Over 300 noisy profiles the scatter of the centre is the claimed σ, which is the Cramér–Rao bound."""
    rng = np.random.default_rng(1)
    covariance = np.diag(np.full(80, 4.0))
    centres, claimed = [], []
    for _ in range(300):
        centre = 40.0 + rng.uniform(-0.5, 0.5)
        value = 50.0 + 40.0 * bar_signal(X, centre, 30.0, 1.3) + 2.0 * rng.standard_normal(80)
        fit = fit_bar(Profile(X, value, np.full(80, 4.0)), 40.0, 30.0, 1.5, covariance)
        centres.append(fit.centre_px - centre)
        claimed.append(fit.centre_sigma_px)
    bound = centre_bound_px(X - 40.0, covariance, width_px=30.0, blur_px=1.3, amplitude=40.0)
    assert np.std(centres) == pytest.approx(np.mean(claimed), rel=0.15)
    assert np.mean(claimed) == pytest.approx(bound, rel=0.1)


def test_the_noise_of_a_profile_is_measured() -> None:
    """Pixel noise that grows with brightness, under line noise that says nothing: variance right to 15 %."""
    rng = np.random.default_rng(2)
    signal = 40.0 + 60.0 * bar_signal(X, 40.0, 30.0, 1.3)
    strip = rng.poisson(np.tile(signal, (200, 1))) + 5.0 * rng.standard_normal((200, 1))
    profile = column_profile(strip, 0)
    assert profile.variance == pytest.approx(signal / 200.0, rel=0.15)


@pytest.mark.parametrize("truth", [Stripes(4e-4, 6.0, smooth=True), Stripes(9e-4, 1.5, smooth=False)])
def test_curtains_are_recognised(truth: Stripes) -> None:
    """Strength within a factor of 2 and width within one step, although the fits absorb part of them."""
    rng = np.random.default_rng(3)
    signal = 50.0 + 40.0 * bar_signal(X, 40.0, 30.0, 1.3)
    root = np.linalg.cholesky(stripe_covariance(signal, truth) + 1e-9 * np.eye(80))
    variance, evidence = np.full(80, 0.04), 0.0
    for _ in range(30):
        value = signal + root @ rng.standard_normal(80) + 0.2 * rng.standard_normal(80)
        fit = fit_bar(Profile(X, value, variance), 40.0, 30.0, 1.5, np.diag(variance))
        evidence = evidence + stripe_evidence(fit.residual, variance, value - fit.residual, fit.design)
    found = most_likely(np.asarray(evidence))
    assert 0.5 < found.variance / truth.variance < 2.0
    assert found.smooth == truth.smooth
    assert found.width_px == pytest.approx(truth.width_px, rel=0.6)


def test_no_curtains_are_seen_where_there_are_none() -> None:
    """White noise only: the curtains found are far below it."""
    rng = np.random.default_rng(4)
    signal, variance = 50.0 + 40.0 * bar_signal(X, 40.0, 30.0, 1.3), np.full(80, 1.0)
    evidence = 0.0
    for _ in range(30):
        value = signal + rng.standard_normal(80)
        fit = fit_bar(Profile(X, value, variance), 40.0, 30.0, 1.5, np.diag(variance))
        evidence = evidence + stripe_evidence(fit.residual, variance, value - fit.residual, fit.design)
    assert most_likely(np.asarray(evidence)).variance * 70.0**2 < 0.1
    assert not stripe_covariance(signal, NO_STRIPES).any()
