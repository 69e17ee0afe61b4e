"""The promise behind the drift test: thresholds give the run length they are computed for."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chi

from algorithms.change_point import change_ratios
from algorithms.run_length import (
    gamma_score,
    mean_run_length,
    shift_evidence,
    shift_threshold,
    spread_threshold,
)
from benchmarks.drift import disagreements, first_crossing

SHAPE = 10.6


def test_the_run_length_of_a_normal_cusum_is_the_tabulated_one() -> None:
    """Reference value 0.5, threshold 4: 335.4 slices one-sided (Montgomery, Statistical Quality Control)."""
    assert mean_run_length(lambda value: ndtr(value + 0.5), 4.0) == pytest.approx(335.4, rel=0.01)


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_threshold_gives_the_run_length_it_was_asked_for(shift: float) -> None:
    """Simulated runs of the gamma chart alarm on average after the 200 slices asked for, ± 8 %."""
    score = np.random.default_rng(1).standard_normal((2000, 1500))
    found = first_crossing(shift_evidence(score, SHAPE, shift), shift_threshold(SHAPE, shift, 200.0))
    length = np.minimum(found, 1500).sum() / np.sum(found <= 1500)
    assert length == pytest.approx(200.0, rel=0.08)


def test_longer_promises_and_wilder_spreads_need_more_evidence() -> None:
    """Thresholds grow with the run length."""
    assert spread_threshold(1.5, 5000.0) > spread_threshold(1.5, 500.0) > 0.0


def test_evidence_for_a_shift_is_the_likelihood_ratio() -> None:
    """Under the alternative its mean is positive, under the null negative, and exp(evidence) averages 1."""
    score = np.random.default_rng(2).standard_normal(400_000)
    for shift in (1.0, -1.0):
        evidence = shift_evidence(score, SHAPE, shift)
        assert np.mean(np.exp(evidence)) == pytest.approx(1.0, abs=0.02)
        assert evidence.mean() < 0.0


def test_scores_of_gamma_values_are_normal() -> None:
    """Median to 0, one-sigma quantile to 1, nothing beyond the limit, not even below 0."""
    values = np.random.default_rng(3).gamma(SHAPE, 1.0, 4000)
    scores = np.array([gamma_score(float(v), SHAPE, SHAPE**0.5) for v in values])
    assert abs(np.mean(scores)) < 0.06
    assert np.std(scores) == pytest.approx(1.0, abs=0.05)
    assert gamma_score(-1.0, 10.0, 3.0) == -4.0


def test_change_ratios_do_not_depend_on_mean_and_spread() -> None:
    """The same values moved and stretched give the same evidence."""
    values = np.random.default_rng(4).standard_normal(40)
    ratios = [ratios_of(values * scale + offset) for scale, offset in ((1.0, 0.0), (7.0, -3.0))]
    assert ratios[0] == pytest.approx(ratios[1])


def test_change_ratios_are_the_exact_integral() -> None:
    """Against numerical integration over the chi-distributed unknown spread, to 0.5 %."""
    values = np.random.default_rng(5).standard_normal(30)
    ratios = ratios_of(values)
    centred = values - values.mean()
    for after in (1, 5, 12):
        pull = centred[-after:].sum() / np.sqrt(np.sum(centred**2))
        expected = chi(29).expect(lambda x, pull=pull: np.exp(x * pull))
        penalty = 0.5 * after * (30 - after) / 30
        assert ratios[-after] == pytest.approx(np.log(expected) - penalty, abs=5e-3)


def test_change_ratios_average_to_one_without_a_change() -> None:
    """What makes the run length of their sum exact: each has mean 1, also after five slices."""
    values = np.random.default_rng(6).standard_normal((60_000, 12))
    mean, squares = values.mean(axis=1), values.var(axis=1) * 12
    ratios = change_ratios(values[:, 5:], 12, mean, squares, 1.0)
    assert np.exp(ratios).mean(axis=0) == pytest.approx(1.0, abs=0.05)


def test_slice_by_slice_and_the_fast_arithmetic_agree_on_every_alarm() -> None:
    """The benchmark measures what the daemon does."""
    assert disagreements(runs=3, slices=150) == 0


def ratios_of(values: np.ndarray) -> np.ndarray:
    mean = np.array(values.mean())
    return change_ratios(values[10:], values.size, mean, np.array(np.sum((values - mean) ** 2)), 1.0)
