"""Sub-pixel shift between a reference patch and an image, with its standard error and its quality.

Two steps. A normalised cross-correlation finds the patch inside the search window (`correlation_peak`); then
a maximum-likelihood fit takes over (`patch_fit`), which knows brightness and contrast changes (down to
inverted contrast between voltages), curtaining, eroded parts and the noise of both pictures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.correlation_peak import Peak, find_patch
from algorithms.fit_error import coherence, raw_residual, shift_covariance, trusted_share
from algorithms.patch_fit import MARGIN_PX, Fit, Patches, Reference, comparable, fit_patches, shows_anything
from algorithms.residual_noise import noise_variance
from algorithms.spline_sampling import Floats, Picture, crop

SMALLEST_PX = 6 * MARGIN_PX
"""Side of the smallest patch worth registering."""
SHARP = 0.2
"""Peak sharpness from which a second best place is no concern."""
RECENTRED_PX = 1.0
RECENTRINGS = 2
RINGS = 64
HANN_CORRELATION = 3.8
"""Neighbouring frequencies of a Hann-windowed picture are not independent: (35/18)² fewer are."""
SMOOTHINGS_PX = (1.0, 1.4, 2.0, 2.8, 4.0)
"""Below 1 px, interpolation would attenuate the noise between pixels visibly and so attract the shift."""


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

    @property
    def sigma_px(self) -> float:
        """Standard error of one component of the shift."""
        return float(np.sqrt(np.trace(self.covariance_px2) / 2.0))

    @property
    def quality(self) -> float:
        """0 (no idea) … 1 (every edge found, nothing else fits)."""
        return self.coherence * self.trusted * min(1.0, self.sharpness / SHARP)


def _radial_signal(picture: Picture, noise: float) -> tuple[Floats, Floats, Floats]:
    """Mean |ω|², number of frequencies and signal power in rings of frequency.

    Power that noise could have made (three standard errors of a ring's mean above its level) is no signal:
    otherwise chance at high frequencies would be taken for sharp edges.
    """
    window = np.outer(*(np.hanning(n) for n in picture.shape))
    power = np.abs(np.fft.fft2((picture - picture.mean()) * window)) ** 2 / (window**2).sum()
    omega = [2 * np.pi * np.fft.fftfreq(n) for n in picture.shape]
    squared = np.add.outer(omega[0] ** 2, omega[1] ** 2)
    ring = (np.sqrt(squared) * RINGS / np.pi).astype(int).ravel()
    count = np.maximum(np.bincount(ring), 1).astype(float)
    mean = np.bincount(ring, power.ravel()) / count
    level = max(noise, float(np.median(mean[RINGS // 2 :])))
    significant = mean > level * (1.0 + 3.0 * np.sqrt(HANN_CORRELATION / count))
    return np.bincount(ring, squared.ravel()) / count, count, np.where(significant, mean - level, 0.0)


def reference_of(picture: Picture, noise: float, image_noise: float) -> Reference:
    """A reference whose smoothing makes the shift of images with noise variance `image_noise` most exact.

    Parameters
    ----------
    picture : (h, w) float32
    noise, image_noise : float
        Noise variance of `picture` and of the images to come.

    If both are smoothed so that the cross-spectrum is weighted by K(ω), the shift's variance is
    Σω²K²(S·(N+M) + N·M) / (Σω²·S·K)² for signal power S and noise powers N and M: the best K is a low-pass
    that closes where the reference is noise (C. Knapp and G. Carter, IEEE Trans. ASSP 24 (1976) 320,
    section III, for the unrestricted filter). The minimum is flat; the share of noise in the reference's
    slopes, ΣN·ω²K / ΣS·ω²K, which the fit has to subtract, decides where to stand in it.
    """
    squared, count, signal = _radial_signal(picture, noise)
    loss: list[float] = []
    for width in SMOOTHINGS_PX:
        slopes = count * squared * np.exp(-squared * width**2)
        strength = max(float((slopes * signal).sum()), 1e-12)
        mixed = signal * (noise + image_noise) + noise * image_noise
        spread = float((slopes * np.exp(-squared * width**2) * mixed).sum())
        loss.append(spread / strength**2 * (1.0 + noise * float(slopes.sum()) / strength) ** 2)
    return Reference(picture, noise, SMOOTHINGS_PX[int(np.argmin(loss))])


def _coarse(
    picture: Picture,
    image: NDArray[Any],
    origin: tuple[int, int],
    expected: tuple[float, float],
    search_px: int,
    any_polarity: bool,
) -> tuple[Peak, Floats]:
    """Peak in the search window, and the shift (2,) that it stands for."""
    corner = (origin[0] - round(expected[0]) - search_px, origin[1] - round(expected[1]) - search_px)
    shape = (picture.shape[0] + 2 * search_px, picture.shape[1] + 2 * search_px)
    window, _ = crop(image, corner, shape)
    peak = find_patch(window.astype(np.float32), picture, any_polarity)
    found = np.array([corner[0] + peak.row_px, corner[1] + peak.column_px])
    return peak, np.asarray(origin, dtype=float) - found


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    whole_px: Floats
    """(2,) whole-pixel shift at which the patch was cut out."""
    moving: Floats
    patches: Patches
    fit: Fit

    @property
    def shift_px(self) -> Floats:
        return self.whole_px + self.fit.trial[:2]


def _attempt(
    reference: Reference, image: NDArray[Any], origin: tuple[int, int], start: Floats
) -> _Attempt | None:
    """The fit from the shift `start` (2,) on the patch cut out there; None if that shows nothing."""
    whole = np.round(start)
    corner = (origin[0] - int(whole[0]), origin[1] - int(whole[1]))
    moving, inside = crop(image, corner, (reference.picture.shape[0], reference.picture.shape[1]))
    patches = comparable(reference, moving, inside)
    if not shows_anything(patches):
        return None
    return _Attempt(whole, moving, patches, fit_patches(patches, start - whole))


def _refined(
    reference: Reference, image: NDArray[Any], origin: tuple[int, int], start: Floats
) -> _Attempt | None:
    """The fit, on a patch cut out anew where the first one has led away from its place."""
    attempt = _attempt(reference, image, origin, start)
    for _ in range(RECENTRINGS):
        if attempt is None or np.abs(attempt.fit.trial[:2]).max() < RECENTRED_PX:
            break
        attempt = _attempt(reference, image, origin, attempt.shift_px)
    return attempt


def _estimated(reference: Reference, found: _Attempt, sharpness: float) -> ShiftEstimate:
    """The fit's result with its errors."""
    fit, shift = found.fit, found.shift_px
    raw = raw_residual(reference, found.moving, fit)
    return ShiftEstimate(
        dy_px=float(shift[0]),
        dx_px=float(shift[1]),
        covariance_px2=shift_covariance(found.patches, fit, raw),
        gain=float(fit.trial[2]),
        offset=fit.linear.offset,
        noise_variance=noise_variance(raw.astype(np.float32)),
        coherence=coherence(fit, reference.smoothing_px),
        trusted=trusted_share(fit),
        sharpness=sharpness,
    )


def _undetermined(shift: Floats, search_px: int) -> ShiftEstimate:
    """The best place in the search window where the image tells none; its quality is 0."""
    covariance = np.eye(2) * float(search_px) ** 2
    return ShiftEstimate(float(shift[0]), float(shift[1]), covariance, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def estimate_shift(
    reference: Reference,
    image: NDArray[Any],
    origin: tuple[int, int],
    *,
    expected: tuple[float, float] = (0.0, 0.0),
    search_px: int = 64,
    any_polarity: bool = False,
) -> ShiftEstimate:
    """Shift of `image` (H, W) against a reference patch of (h, w), made by `reference_of`.

    Parameters
    ----------
    origin : (int, int)
        Place (row, column) of the reference's first pixel.
    expected, search_px
        Centre (dy, dx) and half width of the search.
    any_polarity : bool
        The contrast may be inverted (another voltage).

    Returns
    -------
    ShiftEstimate
        ``reference coordinate = image coordinate + shift``; its quality says whether to believe it.

    Raises
    ------
    ValueError
        If the patch is too small to be registered.
    """
    shape = reference.picture.shape
    if min(shape) < SMALLEST_PX:
        raise ValueError(f"cannot register a patch of {shape} px: draw it at least {SMALLEST_PX} px a side")
    peak, start = _coarse(reference.picture, image, origin, expected, search_px, any_polarity)
    try:
        found = _refined(reference, image, origin, start)
        estimate = None if found is None else _estimated(reference, found, peak.sharpness)
    except np.linalg.LinAlgError:  # too little of the patch is trusted to determine a shift
        estimate = None
    return estimate or _undetermined(start, search_px)
