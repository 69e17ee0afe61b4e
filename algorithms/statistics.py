"""Streaming statistics of slice thickness: moments, gamma fit, outliers. Mergeable: A + B is the whole.

The state holds the sufficient statistics of the normal *and* of the gamma distribution, so nothing has to be
kept per slice. Merging follows Chan, Golub & LeVeque, *COMPSTAT* (1982) 30–41.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma


@dataclass(frozen=True, slots=True)
class ThicknessStatistics:
    """Sufficient statistics of some slices (nm). ``logs`` and ``positive``: sum of ln over values above 0."""

    count: int = 0
    mean_nm: float = 0.0
    squares: float = 0.0
    positive: int = 0
    positive_sum: float = 0.0
    logs: float = 0.0
    smallest_nm: float = float("inf")
    largest_nm: float = float("-inf")

    @property
    def sigma_nm(self) -> float:
        """Sample standard deviation; NaN for fewer than two slices."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else float("nan")

    @property
    def mean_sigma_nm(self) -> float:
        """Standard error of the mean; NaN for fewer than two slices."""
        return self.sigma_nm / float(np.sqrt(self.count)) if self.count > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class GammaFit:
    """Maximum-likelihood gamma distribution with standard errors: shape (no unit), scale (nm)."""

    shape: float
    shape_sigma: float
    scale_nm: float
    scale_sigma_nm: float


def add_thickness(statistics: ThicknessStatistics, thickness_nm: float) -> ThicknessStatistics:
    """The statistics with one slice more; NaN (an unmeasured slice) changes nothing."""
    if not np.isfinite(thickness_nm):
        return statistics
    above = thickness_nm > 0.0  # noise can make a thickness negative, where no gamma distribution exists
    single = ThicknessStatistics(
        1,
        thickness_nm,
        0.0,
        int(above),
        thickness_nm if above else 0.0,
        float(np.log(thickness_nm)) if above else 0.0,
        thickness_nm,
        thickness_nm,
    )
    return merge_statistics(statistics, single)


def merge_statistics(one: ThicknessStatistics, other: ThicknessStatistics) -> ThicknessStatistics:
    """The statistics of both sets of slices together."""
    count = one.count + other.count
    if count == 0:
        return one
    apart = other.mean_nm - one.mean_nm
    return ThicknessStatistics(
        count=count,
        mean_nm=one.mean_nm + apart * other.count / count,
        squares=one.squares + other.squares + apart**2 * one.count * other.count / count,
        positive=one.positive + other.positive,
        positive_sum=one.positive_sum + other.positive_sum,
        logs=one.logs + other.logs,
        smallest_nm=min(one.smallest_nm, other.smallest_nm),
        largest_nm=max(one.largest_nm, other.largest_nm),
    )


def fit_gamma(statistics: ThicknessStatistics) -> GammaFit | None:
    """Maximum-likelihood gamma fit; None with fewer than three positive slices or no scatter.

    The shape solves ``ln k - ψ(k) = ln mean - mean ln``; start and Newton step after Minka, *Estimating a
    gamma distribution* (2002), eq. 10; the errors come from the Fisher information.
    """
    count = statistics.positive
    if count < 3:
        return None
    mean = statistics.positive_sum / count
    gap = float(np.log(mean) - statistics.logs / count)
    if gap <= 1e-12:
        return None
    shape = _solve_shape(gap)
    curvature = float(polygamma(1, shape))
    determinant = count * (shape * curvature - 1.0)
    scale = mean / shape
    return GammaFit(
        shape=shape,
        shape_sigma=float(np.sqrt(shape / determinant)),
        scale_nm=scale,
        scale_sigma_nm=scale * float(np.sqrt(curvature / determinant)),
    )


def _solve_shape(gap: float) -> float:
    shape = (3.0 - gap + float(np.sqrt((gap - 3.0) ** 2 + 24.0 * gap))) / (12.0 * gap)
    for _ in range(20):
        inverse = 1.0 / shape
        slope = shape**2 * (inverse - float(polygamma(1, shape)))
        change = (np.log(shape) - float(digamma(shape)) - gap) / slope
        shape = 1.0 / (inverse + change)
        if abs(change) * shape < 1e-12:
            break
    return float(shape)


def z_score(statistics: ThicknessStatistics, thickness_nm: float) -> float:
    """How many standard deviations a slice is from the mean; NaN while there is no spread."""
    if statistics.squares <= 0.0:
        return float("nan")
    return (thickness_nm - statistics.mean_nm) / statistics.sigma_nm


def outliers(
    statistics: ThicknessStatistics, thickness_nm: NDArray[np.float64], threshold: float = 1.5
) -> NDArray[np.bool_]:
    """Which slices (n,) lie more than ``threshold`` standard deviations from the mean; NaN is no outlier."""
    scores = np.asarray(thickness_nm, dtype=np.float64) - statistics.mean_nm
    return np.abs(scores) > threshold * statistics.sigma_nm
