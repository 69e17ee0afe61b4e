"""How long a CUSUM runs between false alarms, and which threshold gives a wanted run length.

A CUSUM ``S ← max(0, S + increment)`` that alarms above a threshold is a Markov chain when its values are put
into narrow bins: Brook & Evans, *Biometrika* 59 (1972) 539–549. The mean number of steps to the alarm then
solves a linear system. No simulation, no table: a threshold takes some tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv, gammaln, ndtr, ndtri, xlogy

Array: TypeAlias = NDArray[np.float64]

SCORE_LIMIT = 4.0  # a single wild slice is the business of the limits, not evidence of something sustained
_STATES = 250
_LOWEST = 1e-3


def mean_run_length(distribution: Callable[[Array], Array], threshold: float) -> float:
    """Mean steps from 0 to above ``threshold`` for independent increments with this distribution function.

    ``distribution`` maps any array of values to the probabilities of increments not above them.
    """
    bin_width = threshold / (_STATES - 0.5)
    level = bin_width * np.arange(_STATES)
    upper = distribution(level[None, :] - level[:, None] + 0.5 * bin_width)
    stay = np.diff(upper, axis=1, prepend=0.0)  # first column: everything below half a bin is at 0
    return float(np.linalg.solve(np.eye(_STATES) - stay, np.ones(_STATES))[0])


def threshold_for(distribution: Callable[[Array], Array], run_length: float) -> float:
    """The threshold whose mean run length is ``run_length`` (> 1 step), or the lowest that exceeds it."""

    def excess(threshold: float) -> float:
        return float(np.log(mean_run_length(distribution, threshold) / run_length))

    if excess(_LOWEST) >= 0.0:
        return _LOWEST
    upper = 1.0
    while excess(upper) < 0.0:
        upper *= 1.5
    root: float = brentq(excess, _LOWEST, upper, xtol=1e-3)  # pyright: ignore[reportAssignmentType]
    return root


def shift_evidence(score: Array, shape: float, shift_sigma: float) -> Array:
    """Log-likelihood ratio of a shifted gamma mean (spread unchanged) against none, at normal scores (n,).

    The score is the normal quantile of the same probability as the value's under Gamma(shape). Evidence for a
    mean that is ``shift_sigma`` standard deviations higher (negative: lower). Beyond its turning point the
    ratio is held, so that a thicker slice never speaks against "thicker".
    """
    mean, sigma = shape, float(np.sqrt(shape))
    moved = max(mean + shift_sigma * sigma, 0.2 * mean)  # thickness cannot fall below 0
    new_scale = sigma**2 / moved
    new_shape = moved / new_scale
    value = gammaincinv(shape, ndtr(np.clip(score, -SCORE_LIMIT, SCORE_LIMIT)))
    value = np.minimum(value, mean + moved)
    constant = gammaln(shape) - gammaln(new_shape) - new_shape * np.log(new_scale)
    return xlogy(new_shape - shape, value) - value * (1.0 / new_scale - 1.0) + constant


def spread_evidence(score: Array, growth: float) -> Array:
    """Log-likelihood ratio of a spread grown by the factor ``growth`` > 1 at normal scores (n,)."""
    limited = np.clip(score, -SCORE_LIMIT, SCORE_LIMIT)
    return 0.5 * limited**2 * (1.0 - growth**-2) - np.log(growth)


@lru_cache(maxsize=64)
def shift_threshold(shape: float, shift_sigma: float, run_length: float) -> float:
    """Threshold of the CUSUM of :func:`shift_evidence` for a mean run length in slices."""
    score = np.linspace(-SCORE_LIMIT, SCORE_LIMIT, 2001)
    evidence = shift_evidence(score, shape, shift_sigma)
    rising = shift_sigma > 0.0
    order = slice(None) if rising else slice(None, None, -1)

    def distribution(value: Array) -> Array:
        at = np.interp(value, evidence[order], score[order])
        inside = ndtr(at) if rising else ndtr(-at)
        return np.where(value < evidence.min(), 0.0, np.where(value >= evidence.max(), 1.0, inside))

    return threshold_for(distribution, run_length)


@lru_cache(maxsize=64)
def spread_threshold(growth: float, run_length: float) -> float:
    """Threshold of the CUSUM of :func:`spread_evidence` for a mean run length in slices."""
    weight = 0.5 * (1.0 - growth**-2)

    def distribution(value: Array) -> Array:
        square = np.maximum(value + np.log(growth), 0.0) / weight
        return np.where(square >= SCORE_LIMIT**2, 1.0, 2.0 * ndtr(np.sqrt(square)) - 1.0)

    return threshold_for(distribution, run_length)


def gamma_score(value: float, mean: float, sigma: float) -> float:
    """Normal score of ``value`` under the gamma distribution with this mean and standard deviation.

    Values at or below 0, which measurement noise can produce, get the lowest score.
    """
    shape = (mean / sigma) ** 2
    if value <= 0.0:
        return -SCORE_LIMIT
    probability = float(gammainc(shape, value * mean / sigma**2))
    return float(np.clip(ndtri(np.clip(probability, 1e-12, 1.0 - 1e-12)), -SCORE_LIMIT, SCORE_LIMIT))
