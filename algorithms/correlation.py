"""Two-point correlation function (TPCF) of the solid along x, y and z.

f(r) is the probability that both ends of a segment of length r are solid, over all segments that fit in the
data (no periodic wrap); f(0) is the solid fraction. Source: Sardhara et al., slice thickness, section
2.4.2. The streaming counts are made in ``algorithms.segments``; here are the curve and the direct, whole-
volume count.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from algorithms.blocks import Counts

Floats = NDArray[np.float64]
AXES_XYZ = (2, 1, 0)


def probability(counts: Counts, segments: Counts) -> Floats:
    """``counts / segments``, NaN where there is no segment; shapes broadcast."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(segments > 0, counts / segments, np.nan)


def axis_segments(shape: Sequence[int], lags: int) -> Counts:
    """Number of segments of lag 0 … ``lags`` that fit in a ``(z, y, x)`` volume; ``(3, lags + 1)`` along x,
    y, z.
    """
    lengths = np.asarray([shape[axis] for axis in AXES_XYZ], dtype=np.int64)[:, None]
    area = np.prod(np.asarray(shape, dtype=np.int64)) // np.maximum(lengths, 1)
    return area * np.maximum(lengths - np.arange(lags + 1), 0)


def two_point_counts(solid: NDArray[np.bool_], lags: int) -> Counts:
    """Solid pairs of a whole ``(z, y, x)`` volume, ``(3, lags + 1)`` int64 along x, y, z."""
    return np.stack([_pairs_along(np.moveaxis(solid, axis, 0), lags) for axis in AXES_XYZ])


def _pairs_along(solid: NDArray[np.bool_], lags: int) -> Counts:
    reach = min(lags, solid.shape[0] - 1)
    counts = [np.count_nonzero(solid[: solid.shape[0] - lag] & solid[lag:]) for lag in range(reach + 1)]
    return np.pad(np.asarray(counts, dtype=np.int64), (0, lags - reach))


def two_point_correlation(solid: NDArray[np.bool_], lags: int) -> Floats:
    """TPCF ``(3, lags + 1)`` along x, y, z of a whole ``(z, y, x)`` volume; NaN for lags that do not fit."""
    return probability(two_point_counts(solid, lags), axis_segments(solid.shape, lags))
