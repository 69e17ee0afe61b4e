"""The anisotropy as the papers give it: mean over lateral patches, each measured by itself.

Sardhara et al. (slice thickness, section 2.4.2) evaluate patches of 256 x 256 px. A patch is a stack of its
own: only segments that lie inside it count. The spread between patches is the sampling uncertainty of one
patch, and over the root of their number that of the mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from algorithms.anisotropy import e_d, e_l2
from algorithms.ligaments import changes_per_px, mean_diameters_px
from algorithms.volume_figures import one_by_one, probabilities
from algorithms.volume_metrics import Survey

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class PatchMean:
    """Mean over patches, its standard error, and the band that holds the expected value with 95 %; NaN where
    not (yet) defined, the last three from a single patch."""

    value: float
    sigma: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PatchFigures:
    """Means over ``patches`` patches."""

    patches: int
    solid_fraction: PatchMean
    e_tpcf: PatchMean
    e_lpf: PatchMean
    e_d: PatchMean


def patch_figures(patches: Survey) -> PatchFigures:
    """Means and their bands over all patches; a patch without a value (no solid) does not enter.

    The bands are Student's, for patches are few, and end at 0: no figure here is negative.
    """
    shares = probabilities(patches, one_by_one)
    solid_fraction = shares.tpcf[:, 0, 0]
    diameters = mean_diameters_px(solid_fraction, changes_per_px(shares.change))
    rows, columns = patches.grid.shape
    return PatchFigures(
        patches=rows * columns,
        solid_fraction=_mean(solid_fraction),
        e_tpcf=_mean(e_l2(shares.tpcf[..., 1:])),
        e_lpf=_mean(e_l2(shares.lpf[..., 1:])),
        e_d=_mean(e_d(diameters)),
    )


def _mean(each: NDArray[np.float64]) -> PatchMean:
    values = each[np.isfinite(each)]
    if values.size < 2:
        value = float(values[0]) if values.size else np.nan
        return PatchMean(value, np.nan, np.nan, np.nan)
    value, sigma = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    half = sigma * float(stdtrit(values.size - 1, 0.5 + CONFIDENCE / 2.0))
    return PatchMean(value, sigma, max(0.0, value - half), value + half)
