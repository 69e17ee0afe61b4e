"""The maximum-likelihood fit of one picture onto another that is within a few pixels of it.

The model of the image patch m, given the reference t as a cubic spline, is

    m(y, x) = gain · t(y + dy, x + dx) + offset + c(x) + r(y) + noise,

with noise whose variance grows with brightness, and c and r random column and row stripes (curtaining,
charging, scan noise) whose covariance is estimated from the residuals. Both pictures are smoothed alike
first, so that neither the interpolation nor the reference's own noise can pull the shift towards whole or
half pixels.

Gauss–Newton on (dy, dx, gain): the offset is eliminated, the stripes are integrated out as in a mixed model
(C. R. Henderson, Biometrics 31 (1975) 423), and regions that do not look like the reference (eroded,
occluded) are trusted less. The covariance is the sandwich J⁻¹ S J⁻ᵀ (H. White, Econometrica 50 (1982) 1,
theorem 3.2), S from the correlation that the residuals have.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algorithms.residual_noise import (
    CURTAIN_PX,
    LOCAL_PX,
    SCAN_LINE_PX,
    StripePredictor,
    beside_damage,
    intensity_variance,
    local_mean,
    local_trust,
    profile_noise,
    stripe_covariance,
    stripe_predictor,
    variance_map,
)
from algorithms.spline_sampling import Floats, sampled_spline, smoothed, spline_coefficients

MARGIN_PX = 4
"""Border of the patch left out of the fit: the spline needs neighbours at every trial shift."""
ITERATIONS = 12
CONVERGED_PX = 1e-3
START_UNCERTAINTY_PX = 0.7
"""Of the correlation peak of an eroded mark."""
GAIN_STRIDE = 4
GAIN_PAIRS = 60
LEAST_PIXELS = 32
"""Of every `GAIN_STRIDE`-th in both directions: fewer make no guess of the gain."""
GAIN_ONLY_ITERATIONS = 2
"""First gain and trust alone: an eroded mark must not move the shift before it is recognised as eroded."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a region looks like at shift 0."""

    picture: NDArray[np.float32] = field(repr=False)
    """(h, w), noisy or averaged over many images."""
    noise_variance: float
    """Of `picture`."""
    smoothing_px: float
    """Standard deviation of the Gaussian that smooths both pictures before they are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The two pictures to be compared, equally smoothed."""

    coefficients: NDArray[np.float32]
    """(h, w) cubic spline of the reference."""
    moving: Floats
    """(h, w)"""
    valid: Floats
    """(h, w) 1 where `moving` is inside the image and away from the patch's border."""
    smoothing_px: float
    noise_slope: float
    """Mean square slope of the reference's own noise, N/(8πσ⁴): it is not information."""


def comparable(reference: Reference, moving: Floats, inside: Floats) -> Patches:
    """Reference and image patch, smoothed alike; `inside` is 1 where `moving` (h, w) is part of the image."""
    width = reference.smoothing_px
    valid = inside * inner_mask(inside.shape)
    coefficients = spline_coefficients(smoothed(reference.picture, width))
    slope = reference.noise_variance / (8.0 * np.pi * width**4)
    return Patches(coefficients, smoothed(moving, width).astype(float), valid, width, slope)


def shows_anything(patches: Patches) -> bool:
    """Whether enough of the image patch lies inside the image, and is not of one grey value."""
    picked = patches.valid[::GAIN_STRIDE, ::GAIN_STRIDE] > 0
    return int(picked.sum()) >= LEAST_PIXELS and float(np.ptp(patches.moving[patches.valid > 0])) > 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Linearised:
    """The model at one trial (dy, dx, gain)."""

    residual: Floats
    derivatives: Floats
    """(3, h, w) of the model by the trial."""
    model: Floats
    offset: float


def without_ramps(stack: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """`stack` (n, h, w) less its weighted fit of brightness ramps, and the fit's coefficients (n, 3).

    They are of 1 and two slopes, each of order 1: what charging does to the brightness of a whole patch.
    """
    y, x = (np.linspace(-1.0, 1.0, n) for n in precision.shape)
    rows, columns, cross = precision.sum(1), precision.sum(0), y @ precision @ x
    normal = np.array([
        [rows.sum(), rows @ y, columns @ x],
        [rows @ y, rows @ y**2, cross],
        [columns @ x, cross, columns @ x**2],
    ])  # fmt: skip
    sums = (stack * precision) @ np.stack([np.ones_like(x), x], axis=1)
    mixed = np.stack([sums[..., 0].sum(1), sums[..., 0] @ y, sums[..., 1].sum(1)])
    coefficients: Floats = np.linalg.solve(normal + 1e-12 * np.trace(normal) * np.eye(3), mixed).T
    levels = coefficients[:, 0, None] + coefficients[:, 1, None] * y
    return stack - levels[:, :, None] - coefficients[:, 2, None, None] * x, coefficients


def _linearise(patches: Patches, trial: Floats, trust: Floats) -> _Linearised:
    """Offset and brightness ramps are fitted to what remains, where it is trusted."""
    sampled = sampled_spline(patches.coefficients, trial[:2])
    scaled = trial[2] * sampled[2]
    (residual,), ((offset, _, _),) = without_ramps((patches.moving - scaled)[None], trust)
    derivatives = sampled * np.array([trial[2], trial[2], 1.0])[:, None, None]
    return _Linearised(residual, derivatives, scaled + offset, float(offset))


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """How much each residual counts; everything here is estimated from the residuals."""

    trust: Floats
    """(h, w) 0…1"""
    variance: Floats
    """(h, w) of the noise of image and reference together."""
    columns: StripePredictor
    """Of w columns."""
    rows: StripePredictor
    """Of h rows."""

    @property
    def precision(self) -> Floats:
        return self.trust / self.variance


def _stripes(residual: Floats, precision: Floats, smoothing_px: float, axis: int) -> StripePredictor:
    """Of the lines whose pixels lie along `axis`."""
    total = precision.sum(axis)
    inside = np.flatnonzero(total > 0.2 * total.max())
    profile = (precision * residual).sum(axis)[inside] / total[inside]
    noise = profile_noise(float(np.mean(1.0 / total[inside])), smoothing_px, inside.size)
    covariance = stripe_covariance(profile, noise, CURTAIN_PX if axis == 0 else SCAN_LINE_PX)
    return stripe_predictor(inside, covariance, total[inside], smoothing_px)


def _weigh(linear: _Linearised, trust: Floats, smoothing_px: float) -> _Weights:
    alpha, beta = intensity_variance(linear.residual, linear.model, trust)
    variance = variance_map(linear.model, trust, max(alpha, 1e-9), beta)
    precision = trust / variance
    columns = _stripes(linear.residual, precision, smoothing_px, 0)
    without = linear.residual - columns.predicted((precision * linear.residual).sum(0)[None])
    return _Weights(trust, variance, columns, _stripes(without, precision, smoothing_px, 1))


def without_stripes(linear: _Linearised, weights: _Weights) -> Floats:
    weighted = weights.precision * linear.residual
    columns = weights.columns.predicted(weighted.sum(0)[None])
    return linear.residual - columns - weights.rows.predicted(weighted.sum(1)[None]).T


@dataclass(frozen=True, slots=True, eq=False)
class _Projected:
    """A stack of images without ramps, and what it contributes to products with others."""

    pixels: Floats
    """(n, h · w)"""
    weighted: Floats
    """(n, h · w) times the precision"""
    columns: Floats
    """(n, w) sums of `weighted`"""
    rows: Floats
    """(n, h) sums of `weighted`"""


def _projected(stack: Floats, precision: Floats) -> _Projected:
    level = without_ramps(stack, precision)[0]
    weighted = level * precision
    flat = len(stack), -1
    return _Projected(level.reshape(flat), weighted.reshape(flat), weighted.sum(1), weighted.sum(2))


def _products(left: _Projected, right: _Projected, weights: _Weights) -> Floats:
    """leftᵀ V⁻¹ right (n, m) of two stacks of images: ramps eliminated, stripes integrated out."""
    columns, rows = weights.columns.predicted(right.columns), weights.rows.predicted(right.rows)
    return left.weighted @ right.pixels.T - left.columns @ columns.T - left.rows @ rows.T


def _sensitivity(patches: Patches, information: Floats, weights: _Weights, gain: float) -> Floats:
    """(3, 3) change of the score with the trial, freed from what the reference's noise adds to it."""
    noise = np.array([1.0, 1.0, 0.0]) * patches.noise_slope * gain**2 * weights.precision.sum()
    return information - np.diag(np.minimum(noise, 0.8 * np.diag(information)))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    trial: Floats
    """(dy, dx, gain)"""
    linear: _Linearised
    weights: _Weights
    derivatives: _Projected
    """By the trial"""
    information: Floats
    """(3, 3) products of the derivatives, with what the reference's noise adds"""
    sensitivity: Floats
    """(3, 3)"""


def inner_mask(shape: tuple[int, ...]) -> Floats:
    mask = np.zeros(shape)
    mask[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] = 1.0
    return mask


def _first_guess(value: Floats, patches: Patches) -> tuple[float, Floats]:
    """Gain that most pixels agree on, and the trust (h, w) in them: half of the mark may be eroded.

    Of the lines through pairs of pixels that are not too flat to have made the image's contrast, the one
    that leaves the smallest sum of truncated residuals (as in P. J. Rousseeuw, "Least median of squares
    regression", J. Am. Stat. Assoc. 79 (1984) 871, section 5).
    """
    picked = patches.valid[::GAIN_STRIDE, ::GAIN_STRIDE] > 0
    x, y = (image[::GAIN_STRIDE, ::GAIN_STRIDE][picked] for image in (value, patches.moving))
    order = np.argsort(x)
    quarter = np.linspace(0, x.size // 4, GAIN_PAIRS).astype(int)
    low, high = order[quarter], order[::-1][np.roll(quarter, GAIN_PAIRS // 3)]
    gains = (y[high] - y[low]) / np.maximum(x[high] - x[low], 1e-6)
    offsets = y[low] - gains * x[low]
    reach_x, reach_y = (float(np.ptp(np.percentile(v, [2, 98]))) for v in (x, y))
    scale = 0.1 * reach_y + 1e-12
    residuals = np.abs(y[None] - gains[:, None] * x[None] - offsets[:, None])
    flat = np.abs(gains) * reach_x < 0.5 * reach_y
    best = int((np.minimum(residuals / scale, 1.0).mean(1) + flat).argmin())
    agreeing = np.abs(patches.moving - gains[best] * value - offsets[best]) < scale
    return float(gains[best]), patches.valid * np.where(agreeing, 1.0, 1e-3)


def _reweighted(patches: Patches, trial: Floats, trust: Floats, uncertainty_px: float) -> Fit:
    """The model at `trial`, its weights renewed from its own residuals."""
    linear = _linearise(patches, trial, trust)
    weights = _weigh(linear, trust, patches.smoothing_px)
    deviation = np.sqrt(weights.variance)
    local = local_mean(without_stripes(linear, weights) / deviation * patches.valid, patches.smoothing_px)
    slope = np.sqrt((linear.derivatives[:2] ** 2).sum(0)) / deviation
    tolerance = uncertainty_px * local_mean(slope, patches.smoothing_px)
    amplified = float(np.hypot(1.0, LOCAL_PX / patches.smoothing_px))
    contrast = amplified * float(linear.model.std() / deviation.mean())
    trust = local_trust(local, tolerance, contrast, patches.valid)
    trust = trust * (1.0 - beside_damage(trust, patches.valid, patches.smoothing_px))
    weights = _weigh(linear, trust, patches.smoothing_px)
    derivatives = _projected(linear.derivatives, weights.precision)
    information = _products(derivatives, derivatives, weights)
    sensitivity = _sensitivity(patches, information, weights, float(trial[2]))
    return Fit(trial, linear, weights, derivatives, information, sensitivity)


def _stepped(fit: Fit, free: slice) -> Floats:
    """The trial after one Gauss–Newton step of its `free` components, at most 1 px."""
    residual = _projected(fit.linear.residual[None], fit.weights.precision)
    score = _products(fit.derivatives, residual, fit.weights)[free, 0]
    step = np.zeros(3)
    step[free] = np.linalg.solve(fit.sensitivity[free, free], score)
    trial = fit.trial + np.clip(step, [-1.0, -1.0, -np.inf], [1.0, 1.0, np.inf])
    reach = MARGIN_PX - 1.0
    return np.clip(trial, [-reach, -reach, -np.inf], [reach, reach, np.inf])


def fit_patches(patches: Patches, start: Floats) -> Fit:
    """Gauss–Newton from the shift `start` (2,), as uncertain as `START_UNCERTAINTY_PX`."""
    gain, trust = _first_guess(sampled_spline(patches.coefficients, start)[2], patches)
    uncertainty = START_UNCERTAINTY_PX
    fit = _reweighted(patches, np.array([*start, gain]), trust, uncertainty)
    for _ in range(GAIN_ONLY_ITERATIONS):
        fit = _reweighted(patches, _stepped(fit, slice(2, 3)), fit.weights.trust, uncertainty)
    for _ in range(ITERATIONS):
        trial = _stepped(fit, slice(0, 3))
        moved = float(np.abs(trial - fit.trial)[:2].max())
        uncertainty = min(0.5 * uncertainty, 2.0 * moved)
        fit = _reweighted(patches, trial, fit.weights.trust, uncertainty)
        if moved < CONVERGED_PX:
            break
    return _reweighted(patches, _stepped(fit, slice(2, 3)), fit.weights.trust, 0.0)
