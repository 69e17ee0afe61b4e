"""Resample the rows of an image that was scanned with another row step than the run's first.

Tilt correction stretches the scan along y about its centre; switched on or off during a run it changes the
height of a pixel on the face, and nothing can be registered across the change by a shift. Rows are
interpolated with the six-point cubic convolution of :mod:`algorithms.translation`; where the new rows are
farther apart than the old ones its kernel is widened by that factor, so that nothing is aliased.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.translation import TAPS, as_dtype, cubic_kernel


def resample_rows(image: NDArray[Any], step: float) -> NDArray[Any]:
    """The image (h, w) as seen with rows ``step`` times as far apart, about the same centre.

    Same shape and dtype (uint8, uint16 or float32). Rows that the image does not cover repeat its edge.
    Raises ValueError unless ``step`` is above 0.
    """
    if not 0.0 < step < np.inf:
        raise ValueError(f"rows cannot be {step} times as far apart: give a ratio above 0")
    height = image.shape[0]
    centre = (height - 1) / 2
    wanted = np.clip(centre + (np.arange(height) - centre) * step, 0.0, height - 1.0)
    index, weight = _taps(wanted, max(step, 1.0))
    index = np.clip(index, 0, height - 1)
    result = np.zeros(image.shape, dtype=np.float32)
    for tap in range(index.shape[1]):
        result += weight[:, tap, None] * image[index[:, tap]]
    return as_dtype(result, image.dtype)


def covered_rows(height: int, step: float) -> slice:
    """The rows of the resampled image that the original covers."""
    centre = (height - 1) / 2
    first = max(int(np.ceil(centre - centre / step)), 0)
    return slice(first, height - first)


def _taps(wanted: NDArray[np.float64], width: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows (h, taps) that make each wanted row, and their weights, which sum to 1."""
    reach = int(np.ceil(TAPS / 2 * width))
    index = np.floor(wanted).astype(np.int64)[:, None] + np.arange(-reach + 1, reach + 1)
    weight = cubic_kernel(np.abs(index - wanted[:, None]) / width)
    return index, (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
