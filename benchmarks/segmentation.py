"""The shipped networks, their vote, each two of them and k-means on held-out runs: Monte Carlo images of two
doses, both below the published one, and fast ones of that; the same with twice the noise, with images a
pixel off, and with slices half and one and a half times as thick."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from daemon.tabulate.methods import (
    FULL,
    QUICK,
    SINGLES,
    Effort,
    fast_conditions,
    open_shipped,
    score_methods,
    simulated_conditions,
    thickness_conditions,
)
from daemon.tabulate.published import SEGMENTATION
from models.evaluation import Score


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Scores by method and condition, the published ones beside the first; figures without a suffix are of
    the Monte Carlo images."""
    effort = QUICK if quick else FULL
    segmenters = open_shipped()
    table = _table(effort)
    figures: dict[str, float] = {"electrons_per_pixel": float(effort.electrons)}
    conditions = simulated_conditions(effort) | fast_conditions(effort) | thickness_conditions(effort)
    for suffix, runs in conditions.items():
        scores = score_methods(segmenters, runs)
        _add_rows(table, suffix, scores)
        figures |= {key + suffix: value for key, value in _figures(scores).items()}
    return table, figures


def _add_rows(table: Table, suffix: str, scores: Mapping[str, Score]) -> None:
    for name, score in scores.items():
        published = " / ".join(f"{value:g}" for value in SEGMENTATION.get(name, ())) if not suffix else ""
        table.add_row(
            name + suffix.replace("_", " "),
            f"{score.mp_percent:.3f}",
            f"{score.inner_mp_percent:.3f}",
            f"{score.mgp_percent:.3f}",
            f"{score.mean_dice:.4f}",
            f"{score.solid_fraction:.4f} ({score.true_solid_fraction:.4f})",
            published,
        )
    table.add_section()


def _figures(scores: Mapping[str, Score]) -> dict[str, float]:
    late = scores["late_fusion"]
    best_single = min(scores[name].mp_percent for name in SINGLES)
    others = {
        f"{name}_mp_percent": score.mp_percent for name, score in scores.items() if name != "late_fusion"
    }
    return others | {
        "late_mp_percent": late.mp_percent,
        "late_mean_dice": late.mean_dice,
        "late_mp_over_best_single": late.mp_percent / best_single,
        "late_mp_over_kmeans": late.mp_percent / scores["kmeans_1kv"].mp_percent,
        "late_inner_mp_percent": late.inner_mp_percent,
        "late_inner_mp_over_kmeans": late.inner_mp_percent / scores["kmeans_1kv"].inner_mp_percent,
        "late_solid_fraction_error": abs(late.solid_fraction / late.true_solid_fraction - 1),
    }


def _table(effort: Effort) -> Table:
    return Table(
        "method",
        "MP %",
        "off edges %",
        "MGP %",
        "mean Dice",
        "solid fraction (true)",
        "published",
        title=f"held-out runs; Monte Carlo images of {effort.electrons} electrons per pixel, then fast ones",
    )
