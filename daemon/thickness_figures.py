"""Thickness of a whole run in numbers: its distribution, its outliers, and what each source was worth.

Rows are those of ``slices.csv``, as values or as text. Only what the ruler measured counts into the
distribution, unless nothing was: then the best other source stands in, and ``thickness_from`` says which. A
target that was merely assumed has a mean, but tells nothing of the milling's scatter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.statistics import ThicknessStatistics, add_thickness, fit_gamma, outliers
from daemon.items import ThicknessSource

OUTLIER_Z: Final = 1.5
"""As in the published run, where 9 % of the slices lay beyond."""
_COLUMNS: Final = {
    ThicknessSource.ASV: "asv_thickness_nm",
    ThicknessSource.SIMILARITY: "similarity_thickness_nm",
}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SourceWorth:
    """One source against the ruler where both speak: bias and scatter (nm) of source - ruler.

    NaN where fewer than two slices can be compared.
    """

    source: ThicknessSource
    slices: int
    bias_nm: float
    scatter_nm: float


def thickness_figures(rows: Iterable[Row]) -> dict[str, Any]:
    """The summary's keys on thickness; an unknown figure is NaN."""
    source, values = counted_thickness(rows)
    assumed = source is ThicknessSource.TARGET
    statistics = ThicknessStatistics()
    for value in values:
        statistics = add_thickness(statistics, float(value))
    fit, nan = fit_gamma(statistics), float("nan")
    beyond = int(outliers(statistics, values, OUTLIER_Z).sum())
    return {
        "thickness_from": str(source) if source else None,
        "thickness_count": statistics.count,
        "thickness_mean_nm": statistics.mean_nm if statistics.count else nan,
        "thickness_mean_sigma_nm": nan if assumed else statistics.mean_sigma_nm,
        "thickness_sigma_nm": nan if assumed else statistics.sigma_nm,
        "thickness_gamma_shape": fit.shape if fit else nan,
        "thickness_gamma_shape_sigma": fit.shape_sigma if fit else nan,
        "thickness_gamma_scale_nm": fit.scale_nm if fit else nan,
        "thickness_gamma_scale_sigma_nm": fit.scale_sigma_nm if fit else nan,
        "thickness_outliers": beyond,
    }


def counted_thickness(rows: Iterable[Row]) -> tuple[ThicknessSource | None, NDArray[np.float64]]:
    """The source that the distribution is made of, None without any, and its thicknesses (n,), nm."""
    kept = [row for row in rows if row.get("thickness_source")]
    source = _leading(kept)
    values = _numbers((row for row in kept if row["thickness_source"] == source), "thickness_nm")
    return source, values[np.isfinite(values)]


def sources_against_ruler(rows: Sequence[Row], target_nm: float) -> tuple[SourceWorth, ...]:
    """What software, similarity and the mere target would have said where the ruler measured."""
    measured = [row for row in rows if row.get("thickness_source") == ThicknessSource.RULER]
    ruler = _numbers(measured, "thickness_nm")
    found = [_worth(source, _numbers(measured, name) - ruler) for source, name in _COLUMNS.items()]
    return (*found, _worth(ThicknessSource.TARGET, target_nm - ruler))


def _leading(rows: Sequence[Row]) -> ThicknessSource | None:
    """The ruler if it measured anything, else the source of most slices."""
    counts = Counter(row["thickness_source"] for row in rows if np.isfinite(_number(row.get("thickness_nm"))))
    if not counts:
        return None
    ruled = counts[ThicknessSource.RULER] > 0
    return ThicknessSource.RULER if ruled else ThicknessSource(counts.most_common(1)[0][0])


def _worth(source: ThicknessSource, differences: NDArray[np.float64]) -> SourceWorth:
    known = differences[np.isfinite(differences)]
    if known.size < 2:
        return SourceWorth(source, known.size, float("nan"), float("nan"))
    return SourceWorth(source, known.size, float(known.mean()), float(known.std(ddof=1)))


def _numbers(rows: Iterable[Row], name: str) -> NDArray[np.float64]:
    return np.array([_number(row.get(name)) for row in rows], dtype=np.float64)


def _number(value: Any) -> float:
    """An empty field and an absent one are NaN."""
    return float(value) if value not in (None, "") else float("nan")
