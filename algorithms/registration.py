"""Sub-pixel shift between a reference patch and an image, with its standard error and its quality.

Two steps. A normalised cross-correlation finds the patch inside the search window; then a maximum-likelihood
fit takes over. Its model of the image patch is

    m(y, x) = gain · t(y + dy, x + dx) + offset + c(x) + r(y) + noise,

t the denoised reference as a cubic spline, noise with a variance that grows with brightness, and c and r
random column and row stripes (curtaining, charging, scan noise) whose covariance is estimated from the
residuals. Gauss–Newton on (dy, dx, gain), the offset eliminated, the stripes integrated out as in a mixed
model, and regions that do not look like the reference (eroded, occluded) trusted less (Tukey's biweight on local
residuals). The gain may be negative: contrast may invert between voltages. The covariance is the sandwich
H⁻¹ S H⁻¹ with S from the residuals' own short-range correlation, so correlated noise is not mistaken for white.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.correlation_peak import Peak, find_patch
from algorithms.residual_noise import (
    Floats,
    autocovariance_power,
    intensity_variance,
    local_trust,
    noise_variance,
    profile_noise,
    stripe_covariance,
    stripe_gain,
    variance_map,
)

MARGIN_PX = 4
"""Border of the patch left out of the fit: the spline needs neighbours at every trial shift."""
SMALLEST_PX = 6 * MARGIN_PX
"""Side of the smallest patch worth registering."""
ITERATIONS = 12
CONVERGED_PX = 1e-3
GAIN_ONLY_ITERATIONS = 2
"""First gain and trust alone: an eroded mark must not move the shift before it is recognised as eroded."""
SMOOTHINGS_PX = (1.0, 1.4, 2.0, 2.8, 4.0)
SHARP = 0.2
"""Peak sharpness from which a second best place is no concern."""


@dataclass(frozen=True, slots=True, eq=False)
class ShiftEstimate:
    """Shift of an image against a reference patch: what to add to the image's coordinates."""

    dy_px: float
    dx_px: float
    covariance_px2: NDArray[np.float64]
    """(2, 2) of (dy, dx)."""
    gain: float
    """Contrast of the image against the reference; negative when inverted."""
    offset: float
    noise_variance: float
    """Of the image, in its grey values squared."""
    coherence: float
    """Correlation of image and reference after noise and stripes are allowed for, 0…1."""
    trusted: float
    """Share of the reference's edges that the image still shows, 0…1."""
    sharpness: float
    """1 - (second best place / best place) in the search window, 0…1."""
    trust: NDArray[np.float32] = field(repr=False)
    """(h, w) on the image's pixels around the patch, moved by the whole-pixel part of the shift."""

    @property
    def sigma_px(self) -> float:
        """Standard error of one component of the shift."""
        return float(np.sqrt(np.trace(self.covariance_px2) / 2.0))

    @property
    def quality(self) -> float:
        """0 (no idea) … 1 (every edge found, nothing else fits)."""
        return self.coherence * self.trusted * min(1.0, self.sharpness / SHARP)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a region looks like at shift 0."""

    picture: NDArray[np.float32] = field(repr=False)
    """(h, w), noisy or averaged over many images."""
    noise_variance: float
    """Of `picture`."""
    smoothing_px: float
    """Standard deviation of the Gaussian that reference and image are smoothed with before they are compared."""


def _gradient_spectrum(picture: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """|ω|² and power per frequency of `picture` (Hann window; white noise of variance v has power v)."""
    window = np.outer(*(np.hanning(n) for n in picture.shape))
    power = np.abs(np.fft.fft2((picture - picture.mean()) * window)) ** 2 / (window**2).sum()
    omega = [2 * np.pi * np.fft.fftfreq(n) for n in picture.shape]
    return np.add.outer(omega[0] ** 2, omega[1] ** 2), power


def reference_of(picture: NDArray[np.float32], noise: float, image_noise: float) -> Reference:
    """A reference whose smoothing makes the shift of images with noise variance `image_noise` most exact.

    Parameters
    ----------
    picture : (h, w) float32
    noise, image_noise : float
        Noise variance of `picture` and of the images to come.

    If both are smoothed so that the cross-spectrum is weighted by K(ω), the shift's variance is
    Σω²K²(S·(N+M) + N·M) / (Σω²·S·K)² for signal power S and noise powers N and M: the best K is a low-pass
    that closes where the reference is noise (C. Knapp and G. Carter, IEEE Trans. ASSP 24 (1976) 320, section III,
    for the unrestricted filter).
    """
    squared, power = _gradient_spectrum(picture)
    signal = power - noise
    variances: list[float] = []
    for width in SMOOTHINGS_PX:
        kernel = np.exp(-squared * width**2)
        spread = float((squared * kernel**2 * (signal * (noise + image_noise) + noise * image_noise)).sum())
        variances.append(spread / max(float((squared * kernel * signal).sum()), 1e-12) ** 2)
    return Reference(picture, noise, SMOOTHINGS_PX[int(np.argmin(variances))])


def crop(image: NDArray[Any], row: int, column: int, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Window of `image` and its validity (both `shape`); outside the image: the window's median, validity 0."""
    rows = np.arange(row, row + shape[0])
    columns = np.arange(column, column + shape[1])
    inside = np.outer((rows >= 0) & (rows < image.shape[0]), (columns >= 0) & (columns < image.shape[1]))
    values = image[np.ix_(rows.clip(0, image.shape[0] - 1), columns.clip(0, image.shape[1] - 1))].astype(
        float
    )
    values[~inside] = np.median(values[inside]) if inside.any() else 0.0
    return values, inside.astype(float)


def _spline_taps(shift: float) -> tuple[Floats, Floats]:
    """Weights (7,) of the coefficients -3…3 in the value and the derivative of a cubic spline at `shift`."""
    t = shift - np.arange(-3.0, 4.0)
    a = np.abs(t)
    value = np.where(a < 1, 2 / 3 - a**2 + a**3 / 2, np.where(a < 2, (2 - a) ** 3 / 6, 0.0))
    slope = np.where(a < 1, -2 * a + 1.5 * a**2, np.where(a < 2, -((2 - a) ** 2) / 2, 0.0)) * np.sign(t)
    return value, slope


def _along(image: NDArray[np.float32], taps: Floats, axis: int) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.empty_like(image)
    ndimage.correlate1d(image, taps, axis=axis, output=result, mode="mirror")
    return result


def sampled_spline(coefficients: NDArray[np.float32], shift: Floats) -> Floats:
    """(3, h, w): derivatives along y and x and value of the spline, at every pixel moved by `shift` (2,)."""
    (value_y, slope_y), (value_x, slope_x) = _spline_taps(shift[0]), _spline_taps(shift[1])
    across = _along(coefficients, value_x, 1)
    along = _along(_along(coefficients, slope_x, 1), value_y, 0)
    return np.stack([_along(across, slope_y, 0), along, _along(across, value_y, 0)]).astype(float)


@dataclass(frozen=True, slots=True, eq=False)
class _Patches:
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


def _smoothed(picture: NDArray[Any], width: float) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(picture.astype(np.float32), width, mode="mirror", truncate=4.0)


def _patches(reference: Reference, moving: Floats, valid: Floats) -> _Patches:
    width = reference.smoothing_px
    smooth = _smoothed(reference.picture, width)
    coefficients = ndimage.spline_filter(smooth, order=3, output=np.float32, mode="mirror")
    slope = reference.noise_variance / (8.0 * np.pi * width**4)
    return _Patches(coefficients, _smoothed(moving, width).astype(float), valid, width, slope)


@dataclass(frozen=True, slots=True, eq=False)
class _Linearised:
    """The model at one trial (dy, dx, gain)."""

    residual: Floats
    derivatives: Floats
    """(3, h, w) of the model by the trial."""
    model: Floats
    offset: float


def _linearise(patches: _Patches, trial: Floats, trust: Floats) -> _Linearised:
    """The offset is the trusted mean of what remains."""
    sampled = sampled_spline(patches.coefficients, trial[:2])
    scaled = trial[2] * sampled[2]
    offset = float(np.average(patches.moving - scaled, weights=trust))
    derivatives = sampled * np.array([trial[2], trial[2], 1.0])[:, None, None]
    return _Linearised(patches.moving - scaled - offset, derivatives, scaled + offset, offset)


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """How much each residual counts; everything here is estimated from the residuals."""

    trust: Floats
    """(h, w) 0…1"""
    variance: Floats
    """(h, w) of the noise of image and reference together."""
    columns: Floats
    """(w, w) `stripe_gain` of the columns."""
    rows: Floats
    """(h, h) `stripe_gain` of the rows."""

    @property
    def precision(self) -> Floats:
        return self.trust / self.variance


def _stripes(residual: Floats, precision: Floats, smoothing_px: float, axis: int) -> Floats:
    """`stripe_gain` (n, n) of the lines whose pixels lie along `axis`."""
    total = precision.sum(axis)
    inside = np.flatnonzero(total > 0.2 * total.max())
    profile = (precision * residual).sum(axis)[inside] / total[inside]
    noise = profile_noise(float(np.mean(1.0 / total[inside])), smoothing_px, inside.size)
    gain = np.zeros((total.size, total.size))
    gain[np.ix_(inside, inside)] = stripe_gain(stripe_covariance(profile, noise), noise, total[inside])
    return gain


def _weigh(linear: _Linearised, trust: Floats, smoothing_px: float) -> _Weights:
    alpha, beta = intensity_variance(linear.residual, linear.model, trust)
    variance = variance_map(linear.model, trust, max(alpha, 1e-9), beta)
    precision = trust / variance
    columns = _stripes(linear.residual, precision, smoothing_px, 0)
    without = linear.residual - columns @ (precision * linear.residual).sum(0)
    return _Weights(trust, variance, columns, _stripes(without, precision, smoothing_px, 1))


def _without_stripes(linear: _Linearised, weights: _Weights) -> Floats:
    weighted = weights.precision * linear.residual
    return linear.residual - weights.columns @ weighted.sum(0) - (weights.rows @ weighted.sum(1))[:, None]


def _products(left: Floats, right: Floats, weights: _Weights) -> Floats:
    """leftᵀ V⁻¹ right (n, m) of two stacks of images: offset eliminated, stripes integrated out."""
    precision = weights.precision
    total = precision.sum()
    left = (left - ((left * precision).sum((1, 2)) / total)[:, None, None]) * precision
    right = right - ((right * precision).sum((1, 2)) / total)[:, None, None]
    whole = np.tensordot(left, right, axes=([1, 2], [1, 2]))
    right = right * precision
    by_columns = left.sum(1) @ weights.columns @ right.sum(1).T
    return whole - by_columns - left.sum(2) @ weights.rows @ right.sum(2).T


def _sensitivity(patches: _Patches, linear: _Linearised, weights: _Weights, gain: float) -> Floats:
    """(3, 3) change of the score with the trial, freed from what the reference's noise adds to it."""
    found = _products(linear.derivatives, linear.derivatives, weights)
    noise = np.array([1.0, 1.0, 0.0]) * patches.noise_slope * gain**2 * weights.precision.sum()
    return found - np.diag(np.minimum(noise, 0.8 * np.diag(found)))


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    trial: Floats
    """(dy, dx, gain)"""
    linear: _Linearised
    weights: _Weights
    sensitivity: Floats
    """(3, 3)"""


def _noise_power(patches: _Patches, fit: _Fit, raw: Floats) -> Floats:
    """Power (rfft2 of the doubled shape) of the smoothed standardised noise, from the unsmoothed residual `raw`.

    Unsmoothed, because its correlation is short, if there is any, and can be measured.
    """
    stripes = fit.linear.residual - _without_stripes(fit.linear, fit.weights)
    power = autocovariance_power((raw - stripes) / np.sqrt(fit.weights.variance), fit.weights.trust)
    shape = [2 * n for n in raw.shape]
    squared = np.add.outer(np.fft.fftfreq(shape[0]) ** 2, np.fft.rfftfreq(shape[1]) ** 2) * (2 * np.pi) ** 2
    return power * np.exp(-squared * patches.smoothing_px**2)


def _score_covariance(fit: _Fit, power: Floats) -> Floats:
    """(2, 2) covariance of the score by Parseval, for noise of this power."""
    shape = [2 * n for n in fit.weights.trust.shape]
    spectra = np.fft.rfft2(
        fit.linear.derivatives[:2] * fit.weights.trust / np.sqrt(fit.weights.variance), shape
    )
    power = power * 2.0
    power[:, [0, -1]] /= 2.0
    return np.einsum("iyx,jyx,yx->ij", spectra, spectra.conj(), power, optimize=True).real / np.prod(shape)


def _covariance(patches: _Patches, fit: _Fit, raw: Floats) -> Floats:
    """(2, 2) of (dy, dx): the sandwich J⁻¹ S J⁻ᵀ, S with the colour of the residuals; stripes as in J."""
    score = _score_covariance(fit, _noise_power(patches, fit, raw))
    white = _products(fit.linear.derivatives[:2], fit.linear.derivatives[:2], fit.weights)
    unstriped = np.tensordot(
        fit.linear.derivatives[:2] * fit.weights.precision, fit.linear.derivatives[:2], axes=([1, 2], [1, 2])
    )
    kept = np.sqrt(np.clip(np.diag(white) / np.diag(unstriped), 1e-6, 1.0))
    inverse = np.linalg.inv(fit.sensitivity[:2, :2])
    return inverse @ (score * np.outer(kept, kept)) @ inverse.T


def _coherence(fit: _Fit, smoothing_px: float) -> float:
    """Correlation of image and reference, freed from stripes and from both one's noise, where trusted."""
    precision = fit.weights.precision
    local = ndimage.gaussian_filter(_without_stripes(fit.linear, fit.weights), 2.0, mode="nearest")
    white = (
        float(np.average(fit.weights.variance, weights=precision)) * smoothing_px**2 / (smoothing_px**2 + 4.0)
    )
    excess = max(float(np.average(local**2, weights=precision)) - white, 0.0)
    centred = fit.linear.model - np.average(fit.linear.model, weights=precision)
    explained = float(np.average(centred**2, weights=precision))
    return float(np.sqrt(explained / max(explained + excess, 1e-12)))


def _trusted_share(fit: _Fit, inner: Floats) -> float:
    edges = (fit.linear.derivatives[:2] ** 2).sum(0) * inner
    return float((edges * fit.weights.trust).sum() / max(float(edges.sum()), 1e-30))


def _inner(shape: tuple[int, int]) -> Floats:
    mask = np.zeros(shape)
    mask[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] = 1.0
    return mask


def _first_gain(value: Floats, moving: Floats, valid: Floats) -> float:
    centred = value - np.average(value, weights=valid)
    return float((valid * centred * moving).sum() / max(float((valid * centred**2).sum()), 1e-12))


def _reweighted(patches: _Patches, trial: Floats, trust: Floats) -> _Fit:
    """The model at `trial`, its weights renewed from its own residuals."""
    linear = _linearise(patches, trial, trust)
    weights = _weigh(linear, trust, patches.smoothing_px)
    standardised = _without_stripes(linear, weights) / np.sqrt(weights.variance)
    trust = local_trust(standardised, patches.valid, patches.smoothing_px)
    weights = _weigh(linear, trust, patches.smoothing_px)
    return _Fit(trial, linear, weights, _sensitivity(patches, linear, weights, float(trial[2])))


def _stepped(fit: _Fit, free: slice) -> Floats:
    """The trial after one Gauss–Newton step of its `free` components, at most 1 px."""
    score = _products(fit.linear.derivatives[free], fit.linear.residual[None], fit.weights)[:, 0]
    step = np.zeros(3)
    step[free] = np.linalg.solve(fit.sensitivity[free, free], score)
    trial = fit.trial + np.clip(step, [-1.0, -1.0, -np.inf], [1.0, 1.0, np.inf])
    reach = MARGIN_PX - 1.0
    return np.clip(trial, [-reach, -reach, -np.inf], [reach, reach, np.inf])


def _fit(patches: _Patches, start: Floats) -> _Fit:
    """Gauss–Newton from the shift `start` (2,)."""
    value = sampled_spline(patches.coefficients, start)[2]
    trial = np.array([*start, _first_gain(value, patches.moving, patches.valid)])
    fit = _reweighted(patches, trial, patches.valid)
    for _ in range(GAIN_ONLY_ITERATIONS):
        fit = _reweighted(patches, _stepped(fit, slice(2, 3)), fit.weights.trust)
    for _ in range(ITERATIONS):
        trial = _stepped(fit, slice(0, 3))
        moved = np.abs(trial - fit.trial)[:2].max()
        fit = _reweighted(patches, trial, fit.weights.trust)
        if moved < CONVERGED_PX:
            break
    return fit


def _raw_residual(reference: Reference, moving: Floats, fit: _Fit) -> Floats:
    coefficients = ndimage.spline_filter(reference.picture, order=3, output=np.float32, mode="mirror")
    return moving - fit.trial[2] * sampled_spline(coefficients, fit.trial[:2])[2] - fit.linear.offset


def _coarse(
    picture: NDArray[np.float32],
    image: NDArray[Any],
    origin: tuple[int, int],
    expected: tuple[float, float],
    search_px: int,
    any_polarity: bool,
) -> tuple[Peak, Floats]:
    """Peak in the search window, and the shift (2,) that it stands for."""
    corner = [o - round(e) - search_px for o, e in zip(origin, expected, strict=True)]
    shape = (picture.shape[0] + 2 * search_px, picture.shape[1] + 2 * search_px)
    window, _ = crop(image, *corner, shape)
    peak = find_patch(window.astype(np.float32), picture, any_polarity)
    found = np.array([corner[0] + peak.row_px, corner[1] + peak.column_px])
    return peak, np.asarray(origin, dtype=float) - found


def estimate_shift(
    reference: Reference,
    image: NDArray[Any],
    origin: tuple[int, int],
    *,
    expected: tuple[float, float] = (0.0, 0.0),
    search_px: int = 64,
    any_polarity: bool = False,
) -> ShiftEstimate:
    """Shift of `image` against a reference patch (made by `reference_of`).

    Parameters
    ----------
    reference : Reference of (h, w), both at least 24
    origin : (int, int)
        Place (row, column) of the reference's first pixel.
    image : (H, W) uint8, uint16 or float32
    expected, search_px
        Centre (dy, dx) and half width of the search.
    any_polarity : bool
        The contrast may be inverted (another voltage).

    Returns
    -------
    ShiftEstimate
        ``reference coordinate = image coordinate + shift``. Always an estimate: its quality says whether to
        believe it.

    Raises
    ------
    ValueError
        If the patch is too small to be registered.
    """
    shape = (reference.picture.shape[0], reference.picture.shape[1])
    if min(shape) < SMALLEST_PX:
        raise ValueError(
            f"cannot register a patch of {shape} px: a region needs at least {SMALLEST_PX} px a side"
        )
    peak, shift = _coarse(reference.picture, image, origin, expected, search_px, any_polarity)
    whole = np.round(shift)
    moving, inside = crop(image, origin[0] - int(whole[0]), origin[1] - int(whole[1]), shape)
    patches = _patches(reference, moving, inside * _inner(shape))
    fit = _fit(patches, shift - whole)
    dy_px, dx_px = fit.trial[:2] + whole
    return ShiftEstimate(
        dy_px=float(dy_px),
        dx_px=float(dx_px),
        covariance_px2=_covariance(patches, fit, _raw_residual(reference, moving, fit)),
        gain=float(fit.trial[2]),
        offset=fit.linear.offset,
        noise_variance=noise_variance(moving.astype(np.float32)),
        coherence=_coherence(fit, reference.smoothing_px),
        trusted=_trusted_share(fit, _inner(shape)),
        sharpness=peak.sharpness,
        trust=fit.weights.trust.astype(np.float32),
    )
