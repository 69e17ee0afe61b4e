"""The run's thickness in numbers: what was drawn is what is told, and sources are judged by the ruler."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from daemon.items import ThicknessSource
from daemon.thickness_figures import scored, sources_against_ruler, thickness_figures


def rows_of(thickness: np.ndarray, source: str = "ruler") -> list[dict[str, object]]:
    """Rows of the table; the software is 2 nm too low, similarity unbiased, every tenth slice a gap."""
    rng = np.random.default_rng(2)
    rows: list[dict[str, object]] = []
    for number, value in enumerate(thickness):
        row: dict[str, object] = {"slice": number, "thickness_nm": float(value), "thickness_source": source}
        row["asv_thickness_nm"] = float(value) - 2.0 + rng.normal(0.0, 3.0)
        row["similarity_thickness_nm"] = "" if number < 10 else float(value) + rng.normal(0.0, 1.0)
        rows.append(row if number % 10 != 9 else {"slice": number, "status": "gap", "thickness_source": ""})
    return rows


def test_the_distribution_that_was_drawn_is_told() -> None:
    """Mean, σ and the gamma fit of 1000 slices hit what they were drawn from within three errors."""
    shape, scale = 10.6, 0.96
    told = thickness_figures(rows_of(np.random.default_rng(1).gamma(shape, scale, 1000)), 1.5)
    assert told["thickness_from"] == "ruler"
    assert told["thickness_count"] == 900
    assert abs(told["thickness_mean_nm"] - shape * scale) < 3.0 * told["thickness_mean_sigma_nm"]
    assert told["thickness_sigma_nm"] == pytest.approx(math.sqrt(shape) * scale, rel=0.08)
    assert abs(told["thickness_gamma_shape"] - shape) < 3.0 * told["thickness_gamma_shape_sigma"]
    assert abs(told["thickness_gamma_scale_nm"] - scale) < 3.0 * told["thickness_gamma_scale_sigma_nm"]
    assert told["thickness_outliers"] / 900 == pytest.approx(0.13, abs=0.03)


def test_sources_are_judged_by_the_ruler() -> None:
    """Bias and scatter of software, similarity and target are recovered, over the slices that have them."""
    rows = rows_of(np.random.default_rng(3).gamma(10.6, 0.96, 1000))
    worth = {item.source: item for item in sources_against_ruler(rows, 10.0)}
    assert worth[ThicknessSource.ASV].bias_nm == pytest.approx(-2.0, abs=0.3)
    assert worth[ThicknessSource.ASV].scatter_nm == pytest.approx(3.0, abs=0.3)
    assert worth[ThicknessSource.SIMILARITY].scatter_nm == pytest.approx(1.0, abs=0.1)
    assert worth[ThicknessSource.SIMILARITY].slices == worth[ThicknessSource.ASV].slices - 9
    assert worth[ThicknessSource.TARGET].scatter_nm == pytest.approx(3.12, abs=0.3)


def test_without_a_ruler_the_source_is_named() -> None:
    """Nothing measured: the figures are those of what stood in, and say so; nothing can be compared."""
    rows = rows_of(np.full(30, 10.0), source="target")
    told = thickness_figures(rows, 1.5)
    assert told["thickness_from"] == "target"
    assert math.isnan(told["thickness_gamma_shape"])
    assert told["thickness_mean_nm"] == 10.0
    assert math.isnan(told["thickness_mean_sigma_nm"]), "an assumption is not certain"
    assert math.isnan(told["thickness_sigma_nm"])
    assert all(math.isnan(item.bias_nm) for item in sources_against_ruler(rows, 10.0))


def test_an_empty_run_has_no_figures() -> None:
    """No slices, no numbers: unknown, not zero."""
    told = thickness_figures([], 1.5)
    assert told["thickness_from"] is None
    assert math.isnan(told["thickness_mean_nm"])


def lossy_rows(seed: int) -> tuple[list[dict[str, object]], float]:
    """1000 slices of which every 5th and some in a row are lost; what is left, and the true σ."""
    rng, shape, scale = np.random.default_rng(seed), 10.6, 0.96
    depths = np.cumsum(rng.gamma(shape, scale, 1000))
    kept = np.array([n % 5 != 0 and not 300 <= n < 340 for n in range(1000)])
    places = np.flatnonzero(kept)
    rows: list[dict[str, object]] = []
    for before, place in pairwise(places):
        slices = int(place - before)
        mean = float(depths[place] - depths[before]) / slices
        source = {"thickness_source": "ruler", "mean_of_slices": str(slices)}
        rows.append({"slice": int(place), "thickness_nm": f"{mean:.6f}"} | source)
    return rows, float(shape**0.5 * scale)


def test_lost_slices_do_not_make_the_milling_look_steadier() -> None:
    """A known run with gaps: σ and gamma shape of single slices are told, not those of means across gaps."""
    told = [thickness_figures(lossy_rows(seed)[0], 2.0) for seed in range(12)]
    _, sigma = lossy_rows(0)
    assert np.mean([t["thickness_sigma_nm"] for t in told]) == pytest.approx(sigma, rel=0.02)
    assert np.mean([t["thickness_gamma_shape"] for t in told]) == pytest.approx(10.6, rel=0.03)
    rows, _ = lossy_rows(0)
    blind = [{**row, "mean_of_slices": ""} for row in rows]
    assert thickness_figures(blind, 2.0)["thickness_sigma_nm"] < 0.97 * told[0]["thickness_sigma_nm"]


def test_outliers_are_marked_at_the_chosen_z() -> None:
    """The table's marks are those that the summary counts, fewer the farther out they have to be."""
    rows = rows_of(np.random.default_rng(4).gamma(10.6, 0.96, 400))
    counts = []
    for chosen in (1.0, 1.5, 2.5):
        marked = scored(rows, chosen)
        told = thickness_figures(rows, chosen)
        beyond = [row for row in marked if row.get("outlier")]
        assert told["thickness_outlier_z"] == chosen
        assert told["thickness_outliers"] == len(beyond)
        assert all(abs(row["z_score"]) > chosen - 0.01 for row in beyond)
        assert all("z_score" not in row for row in marked if row.get("status") == "gap")
        counts.append(len(beyond))
    assert counts[0] > counts[1] > counts[2] > 0
