"""Streaming statistics of slice thickness: moments, gamma fit, outliers. Mergeable: A + B is the whole.

The state holds the sufficient statistics of the normal *and* of the gamma distribution, so nothing has to be
kept per slice. Merging follows Chan, Golub & LeVeque, *COMPSTAT* (1982) 30–41.

Where slices were lost only the mean of several is known. The mean of k slices scatters √k times less than
one, and is gamma distributed with k times the shape: it counts as what it is, never as a slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.special import digamma, polygamma

BIN_NM = 0.01
"""Outliers are told apart to this; a tenth of what the best ruler resolves."""
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ThicknessStatistics:
    """Sufficient statistics of ``count`` thicknesses (nm), the means of ``slices`` slices altogether.

    ``squares`` is the sum of squared deviations, each times its number of slices. ``logs``, ``positive`` and
    ``positive_sum`` are sums over values above 0, per slice, of the logarithm, 1 and the value; ``spans``
    tells of how many slices how many of these values are the mean.
    """

    count: int = 0
    slices: int = 0
    mean_nm: float = 0.0
    squares: float = 0.0
    positive: int = 0
    positive_sum: float = 0.0
    logs: float = 0.0
    spans: Spans = ()
    smallest_nm: float = float("inf")
    largest_nm: float = float("-inf")

    @property
    def sigma_nm(self) -> float:
        """Standard deviation of single slices, unbiased; NaN for fewer than two values."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else float("nan")

    @property
    def mean_sigma_nm(self) -> float:
        """Standard error of the mean; NaN for fewer than two values."""
        return self.sigma_nm / float(np.sqrt(self.slices)) if self.count > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class GammaFit:
    """Maximum-likelihood gamma distribution with standard errors: shape (no unit), scale (nm)."""

    shape: float
    shape_sigma: float
    scale_nm: float
    scale_sigma_nm: float


def add_thickness(
    statistics: ThicknessStatistics, thickness_nm: float, mean_of_slices: int = 1
) -> ThicknessStatistics:
    """The statistics with one thickness more; NaN (an unmeasured slice) changes nothing."""
    if not np.isfinite(thickness_nm):
        return statistics
    above = thickness_nm > 0.0  # noise can make a thickness negative, where no gamma distribution exists
    single = ThicknessStatistics(
        1,
        mean_of_slices,
        thickness_nm,
        0.0,
        mean_of_slices if above else 0,
        mean_of_slices * thickness_nm if above else 0.0,
        mean_of_slices * float(np.log(thickness_nm)) if above else 0.0,
        ((mean_of_slices, 1),) if above else (),
        thickness_nm,
        thickness_nm,
    )
    return merge_statistics(statistics, single)


def merge_statistics(one: ThicknessStatistics, other: ThicknessStatistics) -> ThicknessStatistics:
    """The statistics of both sets of slices together."""
    slices = one.slices + other.slices
    if slices == 0:
        return one
    apart = other.mean_nm - one.mean_nm
    return ThicknessStatistics(
        count=one.count + other.count,
        slices=slices,
        mean_nm=one.mean_nm + apart * other.slices / slices,
        squares=one.squares + other.squares + apart**2 * one.slices * other.slices / slices,
        positive=one.positive + other.positive,
        positive_sum=one.positive_sum + other.positive_sum,
        logs=one.logs + other.logs,
        spans=tuple(sorted((Counter(dict(one.spans)) + Counter(dict(other.spans))).items())),
        smallest_nm=min(one.smallest_nm, other.smallest_nm),
        largest_nm=max(one.largest_nm, other.largest_nm),
    )


def fit_gamma(statistics: ThicknessStatistics) -> GammaFit | None:
    """Maximum-likelihood gamma fit of single slices; None below three positive values or without scatter.

    Values that scatter less than a bin of ``BIN_NM`` have a shape of rounding errors: that is no scatter.

    With K slices and n_k means of k slices, the shape solves
    ``ln a - Σ n_k·k·(ψ(k·a) - ln k) / K = ln mean - mean ln``, where with single slices only the sum is ψ(a);
    start and Newton step after Minka, *Estimating a gamma distribution* (2002), eq. 10; the errors come from
    the Fisher information.
    """
    spans, slices = statistics.spans, statistics.positive
    if sum(count for _, count in spans) < 3:
        return None
    mean = statistics.positive_sum / slices
    gap = float(np.log(mean) - statistics.logs / slices)
    if gap <= 1e-12:
        return None
    shape = _solve_shape(gap, spans)
    if mean / np.sqrt(shape) < BIN_NM:
        return None
    curvature = slices * _mean_curvature(shape, spans)
    determinant = shape * curvature - slices
    scale = mean / shape
    return GammaFit(
        shape=shape,
        shape_sigma=float(np.sqrt(shape / determinant)),
        scale_nm=scale,
        scale_sigma_nm=scale * float(np.sqrt(curvature / (slices * determinant))),
    )


def _solve_shape(gap: float, spans: Spans) -> float:
    """From the solution of n means of the mean number of slices on."""
    slices, count = sum(k * n for k, n in spans), sum(n for _, n in spans)
    shape = (3.0 - gap + float(np.sqrt((gap - 3.0) ** 2 + 24.0 * gap))) / (12.0 * gap) * count / slices
    for _ in range(50):
        inverse = 1.0 / shape
        slope = shape**2 * (inverse - _mean_curvature(shape, spans))
        digammas = sum(n * k * (float(digamma(k * shape)) - float(np.log(k))) for k, n in spans) / slices
        change = (np.log(shape) - digammas - gap) / slope
        shape = 1.0 / (inverse + change)
        if abs(change) * shape < 1e-12:
            break
    return float(shape)


def _mean_curvature(shape: float, spans: Spans) -> float:
    """Σ n_k·k²·ψ'(k·a) / K."""
    slices = sum(k * n for k, n in spans)
    return sum(n * k**2 * float(polygamma(1, k * shape)) for k, n in spans) / slices


def z_score(statistics: ThicknessStatistics, thickness_nm: float, mean_of_slices: int = 1) -> float:
    """How many of its standard deviations a thickness is from the mean; NaN while there is no spread."""
    if statistics.squares <= 0.0:
        return float("nan")
    off_nm = thickness_nm - statistics.mean_nm
    return off_nm * float(np.sqrt(mean_of_slices)) / statistics.sigma_nm


@dataclass(frozen=True, slots=True)
class ThicknessCounts:
    """How many thicknesses lie in each bin of ``BIN_NM``: (slices that it is the mean of, bin) → number.

    Grows with the range of thickness, not with the run.
    """

    numbers: Mapping[tuple[int, int], int] = field(default_factory=lambda: MappingProxyType({}))


def count_thickness(counts: ThicknessCounts, thickness_nm: float, mean_of_slices: int = 1) -> ThicknessCounts:
    """The counts with one thickness more; NaN changes nothing."""
    if not np.isfinite(thickness_nm):
        return counts
    return merge_counts(counts, ThicknessCounts({(mean_of_slices, _bin(thickness_nm)): 1}))


def merge_counts(one: ThicknessCounts, other: ThicknessCounts) -> ThicknessCounts:
    """The counts of both sets of slices together."""
    return ThicknessCounts(MappingProxyType(Counter(one.numbers) + Counter(other.numbers)))


def count_outliers(counts: ThicknessCounts, statistics: ThicknessStatistics, threshold: float) -> int:
    """How many of the counted thicknesses lie more than ``threshold`` standard deviations from the mean."""
    return sum(
        number
        for (slices, place), number in counts.numbers.items()
        if abs(z_score(statistics, place * BIN_NM, slices)) > threshold
    )


def is_outlier(
    statistics: ThicknessStatistics, thickness_nm: float, threshold: float, mean_of_slices: int = 1
) -> bool:
    """Whether :func:`count_outliers` counts this thickness; NaN is no outlier."""
    if not np.isfinite(thickness_nm):
        return False
    return abs(z_score(statistics, _bin(thickness_nm) * BIN_NM, mean_of_slices)) > threshold


def _bin(thickness_nm: float) -> int:
    return round(thickness_nm / BIN_NM)
