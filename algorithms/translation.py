"""Move an image by a sub-pixel shift.

A shift ``(dy, dx)`` brings content from ``(y, x)`` to ``(y + dy, x + dx)``: applying an image's registration
shift puts it onto the reference's grid. Whole pixels are moved by slicing; only the fraction, in ±0.5 px, is
interpolated, with the six-point cubic convolution of fourth order along each axis [1]_: polynomials up to the
third degree are moved exactly. Pixels that the image does not cover get `fill`, and the outermost covered
pixels are interpolated from the mirrored image, so that no `fill` value bleeds inwards.

References
----------
.. [1] R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. Acoust. Speech
   Signal Process. 29 (1981) 1153, section V (six-point kernel, O(h⁴)).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

TAPS = 6
NEGLIGIBLE_PX = 1e-6


def cubic_taps(fraction: float) -> NDArray[np.float64]:
    """Weights (6,) that move content by `fraction` in [0, 1) px: of the pixels -3…2 around the target pixel.

    They sum to 1, so a constant image stays constant.
    """
    return cubic_kernel(np.abs(fraction + np.arange(TAPS) - TAPS // 2))


def cubic_kernel(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel at distances `t` ≥ 0 in px, any shape; 0 from 3 px on."""
    near = (4 / 3 * t - 7 / 3) * t**2 + 1
    middle = ((-7 / 12 * t + 3) * t - 59 / 12) * t + 5 / 2
    far = ((t / 12 - 2 / 3) * t + 7 / 4) * t - 3 / 2
    return np.select([t < 1, t < 2, t < 3], [near, middle, far], 0.0)


def _move_axis(image: NDArray[np.float32], fraction: float, axis: int) -> NDArray[np.float32]:
    """Content moved by `fraction` in [0, 1) px towards larger indices along `axis`; edges mirrored."""
    if fraction == 0.0:
        return image
    moved: NDArray[np.float32] = np.empty_like(image)
    ndimage.correlate1d(image, cubic_taps(fraction), axis=axis, output=moved, mode="mirror")
    return moved


def _split(shift_px: float) -> tuple[int, float]:
    """Whole pixels and the fraction in [0, 1) left; what is below `NEGLIGIBLE_PX` of a pixel is nothing."""
    whole = int(np.floor(shift_px + NEGLIGIBLE_PX))
    fraction = shift_px - whole
    return whole, fraction if fraction > NEGLIGIBLE_PX else 0.0


def _overlap(size: int, whole: int) -> tuple[slice, slice]:
    """Destination and source slices of an axis of `size` px moved by `whole` px."""
    kept = max(size - abs(whole), 0)
    start = min(max(whole, 0), size)
    source = min(max(-whole, 0), size)
    return slice(start, start + kept), slice(source, source + kept)


def translate(image: NDArray[Any], dy_px: float, dx_px: float, fill: float = 0.0) -> NDArray[Any]:
    """Move `image` by ``(dy_px, dx_px)``.

    Parameters
    ----------
    image : (h, w) uint8, uint16 or float32
    dy_px, dx_px : float
        The registration shift; positive moves content to larger indices.
    fill : float
        Value of the pixels that the moved image does not cover.

    Returns
    -------
    (h, w) of the same dtype; integers are rounded and clipped to their range.

    Raises
    ------
    ValueError
        If the shift is not finite or `image` is not two-dimensional.
    """
    if image.ndim != 2 or not np.isfinite([dy_px, dx_px]).all():
        raise ValueError(
            f"cannot translate an array of shape {image.shape} by ({dy_px}, {dx_px}) px: "
            "pass one (y, x) image and a finite shift"
        )
    (whole_y, part_y), (whole_x, part_x) = _split(dy_px), _split(dx_px)
    moved = image.astype(np.float32, copy=False)
    moved = _move_axis(_move_axis(moved, part_y, 0), part_x, 1)
    result = np.full(image.shape, fill, dtype=np.float32)
    to_y, from_y = _overlap(image.shape[0], whole_y)
    to_x, from_x = _overlap(image.shape[1], whole_x)
    result[to_y, to_x] = moved[from_y, from_x]
    return as_dtype(result, image.dtype)


def as_dtype(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`values` in `dtype`; integers are rounded and clipped to the range of `dtype`."""
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def covered(shape: tuple[int, int], dy_px: float, dx_px: float) -> tuple[slice, slice]:
    """Row and column slices of the pixels that an image of `shape`, moved by the shift, covers completely."""
    rows, columns = (_covered_axis(n, d) for n, d in zip(shape, (dy_px, dx_px), strict=True))
    return rows, columns


def _covered_axis(size: int, shift_px: float) -> slice:
    whole, fraction = _split(shift_px)
    low = min(max(whole + (fraction > 0), 0), size)
    return slice(low, max(low, min(size, size + whole)))
