"""Cut a patch out of an image, and evaluate it and its slopes between the pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Picture = NDArray[np.float32]


def crop(image: NDArray[Any], corner: tuple[int, int], shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Window of `image` (`shape`) from `corner` (row, column) on, and where it is inside the image (1, else
    0).

    What is outside gets the median of what is inside.
    """
    rows, columns = (np.arange(start, start + n) for start, n in zip(corner, shape, strict=True))
    inside = np.outer((rows >= 0) & (rows < image.shape[0]), (columns >= 0) & (columns < image.shape[1]))
    values = image[np.ix_(rows.clip(0, image.shape[0] - 1), columns.clip(0, image.shape[1] - 1))].astype(
        float
    )
    values[~inside] = np.median(values[inside]) if inside.any() else 0.0
    return values, inside.astype(float)


def spline_coefficients(picture: Picture) -> Picture:
    """(h, w) coefficients of the cubic spline through `picture`, mirrored at the border."""
    coefficients: Any = ndimage.spline_filter(picture, order=3, mode="mirror")
    return coefficients.astype(np.float32)


def smoothed(picture: NDArray[Any], width_px: float) -> Picture:
    """(h, w) `picture` smoothed by a Gaussian of standard deviation `width_px`, mirrored at the border."""
    result: Picture = np.empty(picture.shape, np.float32)
    ndimage.gaussian_filter(picture, width_px, output=result, mode="mirror", truncate=4.0)
    return result


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
