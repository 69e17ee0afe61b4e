"""Thickness of a whole run in numbers: its distribution, its outliers, and what each source was worth.

Rows are those of ``slices.csv``, as values or as text. Only what the ruler measured counts into the
distribution, unless nothing was: then the best other source stands in, and ``thickness_from`` says which. A
target that was merely assumed has a mean, but tells nothing of the milling's scatter. The mean of several
slices, of which some were lost, counts as such and not as one slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.statistics import (
    ThicknessCounts,
    ThicknessStatistics,
    add_thickness,
    count_outliers,
    count_thickness,
    fit_gamma,
    is_outlier,
    z_score,
)
from daemon.items import ThicknessSource

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


def thickness_figures(rows: Sequence[Row], outlier_z: float) -> dict[str, Any]:
    """The summary's keys on thickness; an unknown figure is NaN. Outliers lie beyond ``outlier_z`` σ."""
    source, statistics = thickness_statistics(rows)
    assumed = source is ThicknessSource.TARGET
    counts = ThicknessCounts()
    for row in _counted(rows, source):
        counts = count_thickness(counts, _number(row["thickness_nm"]), mean_of_slices(row))
    fit, nan = fit_gamma(statistics), float("nan")
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
        "thickness_outliers": count_outliers(counts, statistics, outlier_z),
        "thickness_outlier_z": outlier_z,
    }


def thickness_statistics(rows: Sequence[Row]) -> tuple[ThicknessSource | None, ThicknessStatistics]:
    """The source that the distribution is made of, None without any, and its statistics."""
    source, statistics = _leading(rows), ThicknessStatistics()
    for row in _counted(rows, source):
        statistics = add_thickness(statistics, _number(row["thickness_nm"]), mean_of_slices(row))
    return source, statistics


def scored(rows: Sequence[Row], outlier_z: float) -> list[dict[str, Any]]:
    """The rows with ``z_score``, from the run so far, and ``outlier`` (1 or 0) where the thickness counts."""
    source, statistics = thickness_statistics(rows)
    counted = {id(row) for row in _counted(rows, source)}
    told: list[dict[str, Any]] = []
    for row in rows:
        value, slices = _number(row.get("thickness_nm")), mean_of_slices(row)
        known = id(row) in counted and statistics.squares > 0.0
        found = {
            "z_score": z_score(statistics, value, slices),
            "outlier": int(is_outlier(statistics, value, outlier_z, slices)),
        }
        told.append({**row, **(found if known else {})})
    return told


def single_thickness(rows: Sequence[Row]) -> tuple[ThicknessSource | None, NDArray[np.float64]]:
    """The source that the distribution is made of, and its thicknesses (n,) of single slices, nm."""
    source = _leading(rows)
    alone = (row for row in _counted(rows, source) if mean_of_slices(row) == 1)
    return source, _numbers(alone, "thickness_nm")


def mean_of_slices(row: Row) -> int:
    """Of how many slices the row's thickness is the mean; 1 in tables that do not say."""
    return int(row.get("mean_of_slices") or 1)


def _counted(rows: Iterable[Row], source: ThicknessSource | None) -> list[Row]:
    """The rows whose thickness is known from this source."""
    return [
        row
        for row in rows
        if source and row.get("thickness_source") == source and np.isfinite(_number(row.get("thickness_nm")))
    ]


def sources_against_ruler(rows: Sequence[Row], target_nm: float) -> tuple[SourceWorth, ...]:
    """What software, similarity and the mere target would have said where the ruler measured a slice."""
    measured = [row for row in _counted(rows, ThicknessSource.RULER) if mean_of_slices(row) == 1]
    ruler = _numbers(measured, "thickness_nm")
    found = [_worth(source, _numbers(measured, name) - ruler) for source, name in _COLUMNS.items()]
    return (*found, _worth(ThicknessSource.TARGET, target_nm - ruler))


def _leading(rows: Sequence[Row]) -> ThicknessSource | None:
    """The ruler if it measured anything, else the source of most slices."""
    told = (row for row in rows if row.get("thickness_source"))
    counts = Counter(row["thickness_source"] for row in told if np.isfinite(_number(row.get("thickness_nm"))))
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
