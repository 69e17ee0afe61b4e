"""Where is a bar? Generalised least squares on the row-averaged profile of one vertical bar.

A ruler mark is a bar of nearly known width on a linear background. Its profile, averaged over the rows of
the mark and over each pixel, is ``background + slope·(x - centre) + amplitude·bar(x)`` with both edges
blurred by the same Gaussian. Centre, width, blur, amplitude and background are fitted together; width and
blur carry weak priors, which by symmetry cannot move the centre.

The white noise of the profile is *measured*, from the scatter of the pixels along each column; curtains add
a correlated part (:mod:`algorithms.stripe_noise`). The maximum-likelihood estimate under that covariance
reaches the Cramér–Rao bound, see Kay, *Fundamentals of Statistical Signal Processing* I (1993), §4.5, §7.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import ndtr

Array: TypeAlias = NDArray[np.float64]

_WIDTH_PRIOR = 0.15  # relative: what a milled trench may differ from its configured width
_BLUR_PRIOR = 0.7  # of ln(blur): focus may change by a factor of two from image to image
_SMALLEST_BLUR_PX = 0.15
_PARAMETERS = 6


@dataclass(frozen=True, slots=True)
class Profile:
    """A row-averaged strip of an image: columns ``x_px`` (n,), ``value`` (n,) and its ``variance`` (n,)."""

    x_px: Array
    value: Array
    variance: Array


@dataclass(frozen=True, slots=True)
class BarFit:
    """A fitted bar: lengths in px, amplitude in grey values (negative: darker than its surroundings).

    ``residual`` (n,) and ``design`` (6, n), the derivatives to all parameters, are in grey values.
    ``white_share`` is the part of the centre's variance that comes from the profile's white noise.
    """

    centre_px: float
    centre_sigma_px: float
    white_share: float
    width_px: float
    blur_px: float
    amplitude: float
    amplitude_sigma: float
    residual: Array
    design: Array
    converged: bool


def column_profile(strip: NDArray[np.floating], first_column: int) -> Profile:
    """Average a strip (rows, n) over its rows and estimate the white noise of the average.

    A line's brightness offset shifts all columns alike and says nothing about an edge: it is taken out
    before the scatter along each column is measured. The variance is smoothed to ``a + b·value`` (shot
    noise), because the sample variance of a single column is itself noisy.
    """
    values = np.asarray(strip, dtype=np.float64)
    rows, columns = values.shape
    value = values.mean(axis=0)
    levelled = values - values.mean(axis=1, keepdims=True)
    scatter = levelled.var(axis=0, ddof=1) * columns / (columns - 1) / rows
    variance = _smooth_variance(value, scatter)
    return Profile(first_column + np.arange(columns, dtype=np.float64), value, variance)


def _smooth_variance(value: Array, scatter: Array) -> Array:
    typical = float(scatter.mean())
    if typical <= 0.0:  # a noise-free image: weights are equal, and the error comes from the residual alone
        return np.full_like(value, 1e-12 + 1e-12 * float(np.ptp(value)) ** 2)
    centred = value - value.mean()
    power = float(centred @ centred)
    gain = float(centred @ scatter) / power if power > 0.0 else 0.0
    return np.maximum(typical + gain * centred, 0.25 * typical)


def bar_shape(x_px: Array, centre_px: float, width_px: float, blur_px: float) -> tuple[Array, Array]:
    """The bar of height 1 averaged over each pixel, and its derivatives (3, n) to centre, width, blur."""
    left, d_left, s_left = _edge(x_px - centre_px + 0.5 * width_px, blur_px)
    right, d_right, s_right = _edge(x_px - centre_px - 0.5 * width_px, blur_px)
    return left - right, np.stack([d_right - d_left, 0.5 * (d_left + d_right), s_left - s_right])


def _edge(distance_px: Array, blur_px: float) -> tuple[Array, Array, Array]:
    """Pixel average of a Gaussian-blurred unit step, and its derivatives to distance and blur."""
    upper, lower = (distance_px + 0.5) / blur_px, (distance_px - 0.5) / blur_px
    cdf_upper, cdf_lower = ndtr(upper), ndtr(lower)
    bell = (np.exp(-0.5 * upper**2) - np.exp(-0.5 * lower**2)) / np.sqrt(2.0 * np.pi)
    return blur_px * (upper * cdf_upper - lower * cdf_lower + bell), cdf_upper - cdf_lower, bell


def fit_bar(profile: Profile, centre_px: float, width_px: float, blur_px: float, covariance: Array) -> BarFit:
    """Fit the bar by Gauss–Newton from a start that is right to about half the bar's width.

    ``width_px`` and ``blur_px`` are start and centre of the weak priors, ``covariance`` (n, n) the noise.
    ``converged`` is false when the centre still moves after 25 steps or has left the profile.
    """
    whiten = cholesky(covariance, lower=True)
    free = np.array([centre_px, width_px, np.log(blur_px)])
    centre, step = free[0], np.inf
    for _ in range(25):
        free, step = _newton_step(profile, whiten, free, width_px, blur_px)
        if step < 1e-5 or not profile.x_px[0] <= free[0] <= profile.x_px[-1]:
            break
    centre = float(free[0])
    inside = bool(profile.x_px[0] < centre < profile.x_px[-1])
    return _describe(profile, whiten, free, width_px, converged=inside and step < 1e-3)


def _newton_step(
    profile: Profile, whiten: Array, free: Array, width_px: float, blur_px: float
) -> tuple[Array, float]:
    _, residual, jacobian = _linear_fit(profile, whiten, free)
    design = np.vstack([jacobian.T, np.zeros((2, _PARAMETERS))])
    design[-2, 1], design[-1, 2] = 1.0 / (_WIDTH_PRIOR * width_px), 1.0 / _BLUR_PRIOR
    prior = [(width_px - free[1]) * design[-2, 1], (np.log(blur_px) - free[2]) * design[-1, 2]]
    change = np.linalg.lstsq(design, np.concatenate([residual, prior]), rcond=None)[0][:3]
    reach = np.array([0.2 * width_px + 1.0, 0.2 * width_px, 0.5])
    change = np.clip(change, -reach, reach)
    moved = free + change
    moved[1] = np.clip(moved[1], 0.4 * width_px, 1.8 * width_px)
    moved[2] = np.clip(moved[2], np.log(_SMALLEST_BLUR_PX), np.log(0.5 * width_px + 1.0))
    return moved, float(abs(change[0]))


def _linear_fit(profile: Profile, whiten: Array, free: Array) -> tuple[Array, Array, Array]:
    """Best amplitude and background for the shape ``free``; whitened residual (n,) and Jacobian (6, n)."""
    blur = float(np.exp(free[2]))
    shape, slopes = bar_shape(profile.x_px, float(free[0]), float(free[1]), blur)
    ramp = (profile.x_px - free[0]) / profile.x_px.size
    basis = np.stack([shape, np.ones_like(shape), ramp])
    white = solve_triangular(whiten, np.vstack([basis, profile.value[None]]).T, lower=True)
    linear = np.linalg.lstsq(white[:, :3], white[:, 3], rcond=None)[0]
    slopes[2] *= blur  # to ln(blur)
    steep = solve_triangular(whiten, (linear[0] * slopes).T, lower=True)
    return linear, white[:, 3] - white[:, :3] @ linear, np.vstack([steep.T, white[:, :3].T])


def _describe(profile: Profile, whiten: Array, free: Array, width_px: float, *, converged: bool) -> BarFit:
    linear, residual, jacobian = _linear_fit(profile, whiten, free)
    information = jacobian @ jacobian.T
    information[1, 1] += (_WIDTH_PRIOR * width_px) ** -2
    information[2, 2] += _BLUR_PRIOR**-2
    covariance = np.linalg.pinv(information, hermitian=True)
    influence = solve_triangular(whiten, covariance[0] @ jacobian, lower=True, trans=1)
    return BarFit(
        centre_px=float(free[0]),
        centre_sigma_px=float(np.sqrt(max(covariance[0, 0], 0.0))),
        white_share=min(float(influence**2 @ profile.variance) / max(float(covariance[0, 0]), 1e-30), 1.0),
        width_px=float(free[1]),
        blur_px=float(np.exp(free[2])),
        amplitude=float(linear[0]),
        amplitude_sigma=float(np.sqrt(max(covariance[3, 3], 0.0))),
        residual=whiten @ residual,
        design=(whiten @ jacobian.T).T,
        converged=converged,
    )


def centre_bound_px(
    x_px: Array, covariance: Array, *, width_px: float, blur_px: float, amplitude: float
) -> float:
    """Cramér–Rao bound (px, standard deviation) of a bar's centre when all six parameters are unknown.

    ``covariance`` (n, n) is the true covariance of the row-averaged profile sampled at ``x_px`` around 0.
    """
    shape, slopes = bar_shape(x_px, 0.0, width_px, blur_px)
    jacobian = np.vstack([amplitude * slopes, shape[None], np.ones((1, x_px.size)), x_px[None]])
    information = jacobian @ np.linalg.solve(covariance, jacobian.T)
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))
