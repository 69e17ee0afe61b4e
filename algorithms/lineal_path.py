"""Lineal path function (LPF) of the solid along x, y and z, and the chord lengths that follow from it.

f(r) is the probability that a segment of length r, that is r + 1 pixels in a row, lies in the solid
altogether, over all segments that fit in the data. Source: Sardhara et al., slice thickness, section 2.4.2.
"""

import numpy as np
from numpy.typing import NDArray

from algorithms.blocks import Counts
from algorithms.correlation import AXES_XYZ, axis_segments, probability


def lineal_path_counts(solid: NDArray[np.bool_], lags: int) -> Counts:
    """All-solid segments of a whole ``(z, y, x)`` volume, ``(3, lags + 1)`` int64 along x, y, z."""
    return np.stack([_paths_along(np.moveaxis(solid, axis, 0), lags) for axis in AXES_XYZ])


def _paths_along(solid: NDArray[np.bool_], lags: int) -> Counts:
    counts, path = np.zeros(lags + 1, dtype=np.int64), solid
    for lag in range(min(lags, solid.shape[0] - 1) + 1):
        path = solid if lag == 0 else path[:-1] & solid[lag:]
        counts[lag] = np.count_nonzero(path)
    return counts


def lineal_path(solid: NDArray[np.bool_], lags: int) -> NDArray[np.float64]:
    """LPF ``(3, lags + 1)`` along x, y, z of a whole ``(z, y, x)`` volume; NaN for lags that do not fit."""
    return probability(lineal_path_counts(solid, lags), axis_segments(solid.shape, lags))


def chord_length_counts(paths: Counts) -> Counts:
    """How many solid chords are exactly 1, 2 … px long, from LPF counts ``(…, lags + 1)``; ``(…, lags - 1)``.

    A chord of n px holds n - r segments of lag r, so the number of chords of n px is the second difference of
    the counts. Chords cut by the border count with the length that is inside.
    """
    return np.diff(paths, n=2, axis=-1)
