"""Has the mean changed, and when, if neither mean nor spread was known before? Invariant likelihood ratios.

For normal values, "the mean rose by δ standard deviations at slice τ" against "nothing happened" has a
likelihood ratio that does not depend on the unknown mean and standard deviation: that of what remains when
values are only compared with each other. It uses *all* slices before τ as the baseline and never lets the
slices after it spoil that baseline, which is what makes a short warm-up bearable.

The sum of the ratios over all τ is the Shiryaev–Roberts statistic. Without a change, statistic minus slices
is a martingale, so the mean run length is at least the threshold, however short the warm-up: Pollak &
Siegmund, *Ann. Statist.* 19 (1991) 394; Gordon & Pollak, *Ann. Statist.* 23 (1995) 2300.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

OVERSHOOT = 0.583
"""A statistic that jumps over its threshold buys a run length exp(0.583·δ) times longer: Siegmund,
*Sequential Analysis* (1985), §10.2, for normal increments."""


def change_ratios(window: Array, count: int, mean: Array, squares: Array, shift_sigma: float) -> Array:
    """Log-likelihood ratios (…, w) of a mean shift that began with each of the last w values.

    ``window`` (…, w) are the newest values, ``count``, ``mean`` (…) and ``squares`` (…, sum of squared
    deviations) those of *all* values, the window included. The mean is integrated out exactly. The spread's
    integral ∫χ^(ν-1) exp(-χ²/2 + aχ) dχ is Laplace's, over the same at a = 0: right to 1e-3 from ten values.
    """
    after = np.arange(window.shape[-1], 0, -1)
    excess = np.cumsum((window - mean[..., None])[..., ::-1], axis=-1)[..., ::-1]
    pull = shift_sigma * excess / np.sqrt(np.maximum(squares, 1e-300))[..., None]
    penalty = 0.5 * shift_sigma**2 * after * (count - after) / count
    return _log_integral(pull, count - 2.0) - _log_integral(np.zeros(()), count - 2.0) - penalty


def _log_integral(pull: Array, power: float) -> Array:
    peak = 0.5 * (pull + np.sqrt(pull**2 + 4.0 * power))
    return power * np.log(peak) - 0.5 * peak**2 + pull * peak - 0.5 * np.log1p(power / peak**2)
