"""What is left of an image after its model is taken away: noise level, stripes, outliers, correlation.

These are the ingredients of a calibrated weighted fit of one image patch onto another. All arrays are (h, w);
weights are inverse variances, 0 where there is no valid pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, linalg, ndimage

Floats = NDArray[np.float64]

LOCAL_PX = 2.0
"""Outliers are regions, not pixels (a chipped edge, a flake of redeposit): look at residuals averaged over
a Gaussian of this standard deviation, where they stand out of the shot noise."""
FULL_TRUST = 2.5
NO_TRUST = 6.0
"""Local residuals up to the first many standard deviations count in full, beyond the second not at all."""
EXCUSED_CONTRAST = 0.06
DAMAGE_PX = 9
"""Width from which an untrusted region is damage: an edge of another sharpness misfits over less."""
DAMAGE_REACH = 2.0
"""Standard deviations of the smoothing that a damaged region's border is seen in what lies beside it."""
STRIPE_CAUTION = 10.0
"""Factor on the stripes' covariance: a shift that is locked to stripes hides them from the residual."""
CURTAIN_PX, SCAN_LINE_PX = 1e6, 16.0
"""Longest periods of stripes across columns and across rows: curtains are of any width, noise of the scan is
not (and were both of any width, a mark of horizontal and vertical bars could pass for stripes)."""
LAG_PX = 8
"""Noise correlations beyond this distance are treated as stripes or not at all."""
SMOOTHED_LAG_PX = 48
"""Beyond this distance such noise is not correlated after the widest smoothing of a fit either (4 px)."""


def noise_variance(image: NDArray[np.float32]) -> float:
    """Variance of the white noise of `image` (h, w), insensitive to structure.

    J. Immerkær, "Fast noise variance estimation", Comput. Vis. Image Underst. 64 (1996) 300: the difference
    of two Laplacians cancels structure. A mean, because noise differs between bright and dark regions, but
    without the few values beyond five robust deviations, which corners of the structure leave.
    """
    squared = np.square(np.diff(np.diff(image, 2, axis=0), 2, axis=1) / 6.0)
    robust = float(np.median(squared)) / 0.67449**2
    return float(squared[squared <= 25.0 * robust].mean()) if robust > 0 else float(squared.mean())


def intensity_variance(residual: Floats, model: Floats, trust: Floats) -> tuple[float, float]:
    """(α, β) of the noise variance α + β·(model - mean of model), fitted to squared residuals.

    Shot noise grows with brightness: the dark floor of a trench is quieter than the bright pad around it.
    """
    centred = model - np.average(model, weights=trust)
    squared = residual**2
    alpha = float(np.average(squared, weights=trust))
    spread = float(np.average(centred**2, weights=trust))
    slope = float(np.average(squared * centred, weights=trust)) / max(spread, 1e-12)
    return alpha, max(slope, 0.0)


def variance_map(model: Floats, trust: Floats, alpha: float, beta: float) -> Floats:
    """(h, w) noise variance; never below a tenth of its mean, so that no dark pixel rules the fit."""
    centred = model - np.average(model, weights=trust)
    return np.maximum(alpha + beta * centred, 0.1 * alpha)


def redescending(deviations: Floats) -> Floats:
    """Weight 1 up to `FULL_TRUST`, then Tukey's biweight down to 0 at `NO_TRUST`."""
    beyond = np.maximum(np.abs(deviations) - FULL_TRUST, 0.0) / (NO_TRUST - FULL_TRUST)
    return np.maximum(1.0 - beyond**2, 0.0) ** 2


def local_mean(values: Floats, smoothing_px: float) -> Floats:
    """`values` (h, w) averaged around each pixel; noise smoothed by `smoothing_px` keeps its variance."""
    averaged: Floats = np.empty_like(values)
    ndimage.gaussian_filter(values, LOCAL_PX, output=averaged, mode="constant", truncate=3.0)
    return averaged * np.hypot(1.0, LOCAL_PX / smoothing_px)


def local_trust(local: Floats, tolerance: Floats, contrast: float, valid: Floats) -> Floats:
    """(h, w) trust 0…1 in each pixel from the `local` residuals around it, in standard deviations of noise.

    Residuals are forgiven as far as the noise, `tolerance` (what the shift's present error may cause) and
    their own robust spread explain them: a slight misfit everywhere (another voltage, a softer focus) is not
    a reason to distrust everything. But no spread excuses residuals of the order of the reference's own
    `contrast`.
    """
    spread = float(np.median(np.abs(local[valid > 0]))) / 0.67449
    excused = max(1.0, min(spread, EXCUSED_CONTRAST * contrast))
    return redescending(local / np.hypot(excused, tolerance)) * valid


def beside_damage(trust: Floats, valid: Floats, smoothing_px: float) -> Floats:
    """(h, w) 1 beside regions that are not trusted, as far as smoothing has carried their brightness, else 0.

    There the residual is too small to be noticed and all of one sign: it would pull the shift. Regions are at
    least `DAMAGE_PX` wide; thinner misfits, of edges softer than the reference's, stay what they are.
    """
    width = 2 * int(DAMAGE_PX / 2) + 1
    distrusted = (trust < 0.5) & (valid > 0)
    regions = ndimage.maximum_filter(ndimage.minimum_filter(distrusted, width), width)
    return ndimage.maximum_filter(regions, 2 * round(DAMAGE_REACH * smoothing_px) + 1).astype(float)


def profile_noise(variance: float, smoothing_px: float, size: int) -> Floats:
    """(n, n) covariance of the noise in a profile of line means.

    `variance` is what it would be if pixels were independent; smoothing along the line correlates them,
    smoothing across correlates the lines.
    """
    distance = np.arange(size) / smoothing_px
    return linalg.toeplitz(variance * 2.0 * np.sqrt(np.pi) * smoothing_px * np.exp(-(distance**2) / 4.0))


def stripe_covariance(profile: Floats, noise: Floats, widest_px: float) -> Floats:
    """(n, n) covariance of the stripes in `profile` (n,), the means along n lines, beside its `noise` (n, n).

    A stationary covariance from the tapered empirical autocovariance. Zero when the profile is no rougher
    than its noise explains.
    """
    n = profile.size
    effective = n * noise[0, 0] / max(float(np.abs(noise[0]).sum() * 2), 1e-30)
    if float(profile.var()) < noise[0, 0] * (1.0 + 2.0 * np.sqrt(2.0 / max(effective, 1.0))):
        return np.zeros((n, n))
    centred = profile - profile.mean()
    lags = np.fft.irfft(np.abs(np.fft.rfft(centred, 2 * n)) ** 2, 2 * n)[:n] / n - noise[0]
    taper = np.cos(np.linspace(0.0, np.pi / 2, n)) ** 2
    power = np.maximum(np.fft.rfft(np.concatenate([lags * taper, [0.0], (lags * taper)[:0:-1]])).real, 0.0)
    power[: int(np.ceil(2 * n / widest_px)) + 1] = 0.0
    return STRIPE_CAUTION * linalg.toeplitz(np.fft.irfft(power, 2 * n)[:n])


@dataclass(frozen=True, slots=True, eq=False)
class StripePredictor:
    """Best linear prediction of n stripes from the weighted sums of their lines, as the mixed-model equations
    make it: (N + f·K⁻¹)⁻¹ times the sums, for stripe covariance K and summed weights N of each line; f is how
    much noisier a line's mean is than that of independent pixels.

    Never exceeds N⁻¹, so that taking stripes out of a weighted fit leaves its information positive.
    """

    lines: NDArray[np.intp]
    """(k,) that have stripes, of n."""
    covariance: Floats
    """(k, k) of their stripes"""
    root: Floats
    """(k,) √N"""
    factor: Floats
    """(k, k) Cholesky's of √N·K·√N + f, for it is never singular, as K may be."""

    def predicted(self, sums: Floats) -> Floats:
        """(m, n) stripes from weighted sums (m, n); 0 where there are none."""
        stripes = np.zeros_like(sums)
        if self.lines.size:
            scaled = (sums[:, self.lines] / self.root).T
            solved = linalg.cho_solve((self.factor, True), scaled, check_finite=False)
            stripes[:, self.lines] = solved.T * self.root @ self.covariance
        return stripes


def stripe_predictor(
    lines: NDArray[np.intp], covariance: Floats, precision: Floats, smoothing_px: float
) -> StripePredictor:
    """Of these `lines` (k,), whose stripes have this covariance (k, k) and summed weights (k,)."""
    if not covariance.any():
        nothing = np.zeros((0, 0))
        return StripePredictor(lines[:0], nothing, np.zeros(0), nothing)
    root = np.sqrt(precision)
    scaled = root[:, None] * covariance * root + 2.0 * np.sqrt(np.pi) * smoothing_px * np.eye(root.size)
    factor = linalg.cholesky(scaled, lower=True, overwrite_a=True, check_finite=False)
    return StripePredictor(lines, covariance, root, factor)


def padded_shape(shape: tuple[int, ...]) -> list[int]:
    """Even lengths for Fourier transforms in which correlations of noise must not reach around."""
    needed = ((n + min(n, SMOOTHED_LAG_PX) + 1) // 2 for n in shape)
    return [2 * int(fft.next_fast_len(half, True) or half) for half in needed]


def autocovariance_power(residual: Floats, valid: Floats) -> Floats:
    """Power spectrum (rfft2 of `padded_shape`) of the short-range noise in `residual`; white: flat."""
    shape = padded_shape(residual.shape)
    counts = np.fft.irfft2(np.abs(np.fft.rfft2(valid, shape)) ** 2, shape)
    products = np.fft.irfft2(np.abs(np.fft.rfft2(residual * valid, shape)) ** 2, shape)
    lags = np.where(counts > 0.5, products / np.maximum(counts, 0.5), 0.0)
    taper = [np.maximum(1.0 - np.abs(np.fft.fftfreq(n, 1 / n)) / LAG_PX, 0.0) for n in shape]
    return np.maximum(np.fft.rfft2(lags * np.outer(*taper)).real, 0.0)
