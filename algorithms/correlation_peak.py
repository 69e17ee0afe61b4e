"""Find a patch in a larger window to about a tenth of a pixel, whatever the brightness does.

Normalised cross-correlation [1]_ of band-passed images: the band-pass removes charging halos and the noise
above the patch's own scale, the normalisation removes the gain. Nine tenths of each column's mean are taken
out of the patch, because vertical curtaining stripes correlate with nothing else: they cannot pull the peak.

References
----------
.. [1] J. P. Lewis, "Fast normalized cross-correlation", Vision Interface (1995), section 5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.float32]

FINE_PX = 1.0
"""Standard deviation of the low-pass: below it a scanning image holds mostly noise."""
COLUMN_MEAN_REMOVED = 0.9
"""Not all of it: a mark made of one bar as high as the patch would otherwise vanish."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a patch was found in a window."""

    row_px: float
    """Position of the patch's first row in the window."""
    column_px: float
    height: float
    """Normalised correlation, -1…1; negative when the contrast is inverted."""
    sharpness: float
    """1 - (next highest peak / this peak), 0…1: 0 when two places fit equally well."""


def band_pass(image: Floats, coarse_px: float) -> Floats:
    """(h, w): `image` without what is smaller than a pixel and larger than `coarse_px`."""
    passed, coarse = np.empty(image.shape, np.float32), np.empty(image.shape, np.float32)
    ndimage.gaussian_filter(image, FINE_PX, output=passed, mode="nearest", truncate=3.0)
    ndimage.gaussian_filter(image, coarse_px, output=coarse, mode="nearest", truncate=2.0)
    return passed - coarse


def _prepared_patch(patch: Floats, coarse_px: float) -> Floats:
    passed = band_pass(patch, coarse_px)
    passed = passed - COLUMN_MEAN_REMOVED * passed.mean(axis=0, keepdims=True)
    return passed - passed.mean()


def _valid_correlation(window: Floats, patch: Floats) -> Floats:
    """(H-h+1, W-w+1) sums of products of `patch` with every place of it inside `window`."""
    shape: list[int] = [int(fft.next_fast_len(n, True) or n) for n in window.shape]
    spectrum = np.fft.rfft2(window, shape) * np.conj(np.fft.rfft2(patch, shape))
    rows, columns = (n - m + 1 for n, m in zip(window.shape, patch.shape, strict=True))
    return np.fft.irfft2(spectrum, shape)[:rows, :columns].astype(np.float32)


def _local_sums(window: Floats, shape: tuple[int, int]) -> NDArray[np.float64]:
    """(H-h+1, W-w+1) sums of `window` over every box of `shape`."""
    table = np.zeros((window.shape[0] + 1, window.shape[1] + 1))
    table[1:, 1:] = window.astype(np.float64).cumsum(0).cumsum(1)
    h, w = shape
    return table[h:, w:] - table[:-h, w:] - table[h:, :-w] + table[:-h, :-w]


def normalised_correlation(window: Floats, patch: Floats, coarse_px: float) -> Floats:
    """(H-h+1, W-w+1) normalised correlation of `patch` (h, w) at every place in `window` (H, W)."""
    passed, template = band_pass(window, coarse_px), _prepared_patch(patch, coarse_px)
    products = _valid_correlation(passed, template)
    sums = _local_sums(passed, template.shape)
    energy = _local_sums(passed**2, template.shape) - sums**2 / template.size
    norm = np.sqrt(np.maximum(energy, energy.max() * 1e-3 + 1e-12) * float((template**2).sum() + 1e-12))
    return (products / norm).astype(np.float32)


def _parabola_vertex(left: float, centre: float, right: float) -> float:
    curvature = left - 2 * centre + right
    return 0.0 if curvature >= 0 else float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))


def _refined(field: Floats, row: int, column: int) -> tuple[float, float]:
    """Sub-pixel position of the maximum of `field` near (row, column)."""
    dy = dx = 0.0
    if 0 < row < field.shape[0] - 1:
        dy = _parabola_vertex(*(float(v) for v in field[row - 1 : row + 2, column]))
    if 0 < column < field.shape[1] - 1:
        dx = _parabola_vertex(*(float(v) for v in field[row, column - 1 : column + 2]))
    return row + dy, column + dx


def _sharpness(field: Floats, row: int, column: int, lobe_px: int) -> float:
    """How much the highest value outside the main lobe stays below the peak, 0…1."""
    rest = field.copy()
    rest[max(row - lobe_px, 0) : row + lobe_px + 1, max(column - lobe_px, 0) : column + lobe_px + 1] = 0.0
    return float(1.0 - np.clip(rest.max() / max(field[row, column], 1e-12), 0.0, 1.0))


def find_patch(window: Floats, patch: Floats, any_polarity: bool = False) -> Peak:
    """Find `patch` (h, w) in `window` (H, W), H ≥ h and W ≥ w.

    Parameters
    ----------
    window, patch : float32
    any_polarity : bool
        Also accept the patch with inverted contrast (between voltages).

    Raises
    ------
    ValueError
        If the window is smaller than the patch.
    """
    if window.shape[0] < patch.shape[0] or window.shape[1] < patch.shape[1]:
        raise ValueError(f"cannot search a patch {patch.shape} px in {window.shape} px: enlarge the window")
    field = normalised_correlation(window, patch, coarse_px=max(min(patch.shape) / 8, 2.0))
    strength = np.abs(field) if any_polarity else field
    row, column = (int(i) for i in np.unravel_index(int(strength.argmax()), strength.shape))
    refined = _refined(strength, row, column)
    sharpness = _sharpness(strength, row, column, lobe_px=max(min(patch.shape) // 10, 4))
    return Peak(*refined, height=float(field[row, column]), sharpness=sharpness)
