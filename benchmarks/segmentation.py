"""The shipped networks and k-means on held-out runs: as published, with twice the noise, and a pixel off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table

from models.evaluation import HeldOut, RenderedRun, Score, held_out_runs, score_all
from models.session import Segmenter, open_segmenter

ZOO = Path(__file__).parents[1] / "models" / "zoo"
SINGLES = ("unet_1kv", "unet_2kv", "unet_4kv")
PUBLISHED = {
    "late_fusion": (0.225, 0.944, 0.995),
    "unet_1kv": (0.245, 0.963, 0.994),
    "unet_2kv": (0.654, 2.512, 0.985),
    "unet_4kv": (1.407, 6.466, 0.967),
    "kmeans_1kv": (4.455, 8.776, 0.904),
    "kmeans_2kv": (9.490, 15.573, 0.815),
    "kmeans_4kv": (18.626, 20.904, 0.698),
}
"""MP, MGP, MDS of Sardhara et al. 2024, Table 3, on their Monte Carlo images."""


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Scores by method under three conditions, the published ones beside the first."""
    held_out = HeldOut(runs=1, height=160, width=224, slices=8) if quick else HeldOut()
    segmenters = {name: open_segmenter(ZOO / f"{name}.onnx") for name in ("late_fusion", *SINGLES)}
    runs = held_out_runs(held_out)
    conditions = {
        "": runs,
        "_noise_x2": held_out_runs(replace(held_out, noise=2.0)),
        "_misregistered_1px": [misregistered(run) for run in runs],
    }
    table = _table()
    figures: dict[str, float] = {}
    for suffix, condition in conditions.items():
        figures |= _condition(table, suffix, segmenters, condition)
    return table, figures


def misregistered(run: RenderedRun) -> RenderedRun:
    """The lowest voltage a pixel too far down and the highest one too far right; edges repeat."""
    images = run.images.copy()
    images[:, 0, 1:] = run.images[:, 0, :-1]
    images[:, -1, :, 1:] = run.images[:, -1, :, :-1]
    return RenderedRun(images, run.labels, run.voltages_kv)


def _condition(
    table: Table, suffix: str, segmenters: Mapping[str, Segmenter], runs: Sequence[RenderedRun]
) -> dict[str, float]:
    scores = score_all(segmenters, runs)
    for name, score in scores.items():
        published = "" if suffix else " / ".join(f"{value:g}" for value in PUBLISHED[name])
        table.add_row(
            name + suffix.replace("_", " "),
            f"{score.mp_percent:.3f}",
            f"{score.mgp_percent:.3f}",
            f"{score.mean_dice:.4f}",
            f"{score.solid_fraction:.4f}",
            published,
        )
    table.add_section()
    return {key + suffix: value for key, value in _figures(scores).items()}


def _figures(scores: Mapping[str, Score]) -> dict[str, float]:
    late = scores["late_fusion"]
    best_single = min(scores[name].mp_percent for name in SINGLES)
    return {
        "late_mp_percent": late.mp_percent,
        "late_mean_dice": late.mean_dice,
        "late_mp_over_best_single": late.mp_percent / best_single,
        "late_mp_over_kmeans": late.mp_percent / scores["kmeans_1kv"].mp_percent,
        "late_solid_fraction_error": float(np.abs(late.solid_fraction / late.true_solid_fraction - 1)),
    }


def _table() -> Table:
    return Table(
        "method",
        "MP %",
        "MGP %",
        "mean Dice",
        "solid fraction",
        "published",
        title="segmentation, held-out runs",
    )
