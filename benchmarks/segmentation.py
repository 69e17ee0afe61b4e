"""The shipped networks, their vote and k-means on held-out runs: Monte Carlo images of the published dose,
and fast ones; the same with twice the noise, and with images a pixel off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from benchmarks.electron_runs import SEEDS, ElectronRun, electron_run
from models.evaluation import HeldOut, RenderedRun, Score, held_out_runs, score_all, score_voting
from models.session import Segmenter, open_segmenter

ZOO = Path(__file__).parents[1] / "models" / "zoo"
SINGLES = ("unet_1kv", "unet_2kv", "unet_4kv")
FUSIONS = ("late_fusion", "early_fusion", "intermediate_fusion")
PUBLISHED = {
    "late_fusion": (0.225, 0.944, 0.995),
    "early_fusion": (2.8, 20.33, 0.93),
    "intermediate_fusion": (2.58, 6.92, 0.94),
    "unet_1kv": (0.245, 0.963, 0.994),
    "unet_2kv": (0.654, 2.512, 0.985),
    "unet_4kv": (1.407, 6.466, 0.967),
    "kmeans_1kv": (4.455, 8.776, 0.904),
    "kmeans_2kv": (9.490, 15.573, 0.815),
    "kmeans_4kv": (18.626, 20.904, 0.698),
}
"""MP, MGP, MDS of Sardhara et al. 2024, Tables 2 and 3, on their Monte Carlo images."""

Conditions = dict[str, list[RenderedRun]]


@dataclass(frozen=True, slots=True)
class Effort:
    """Size of the fast runs and of the Monte Carlo ones, and electrons per pixel of these."""

    fast: HeldOut
    simulated: HeldOut
    electrons: int


QUICK = Effort(
    HeldOut(runs=1, height=128, width=160, slices=7), HeldOut(runs=1, height=48, width=64, slices=4), 30
)
FULL = Effort(HeldOut(), HeldOut(runs=2, height=72, width=112, slices=7), 30)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Scores by method and condition, the published ones beside the first; figures without a suffix are of
    the Monte Carlo images."""
    effort = QUICK if quick else FULL
    segmenters = {name: open_segmenter(ZOO / f"{name}.onnx") for name in shipped()}
    table = _table(effort)
    figures: dict[str, float] = {"electrons_per_pixel": float(effort.electrons)}
    for suffix, runs in (simulated_conditions(effort) | fast_conditions(effort)).items():
        figures |= _condition(table, suffix, segmenters, runs)
    return table, figures


def shipped() -> tuple[str, ...]:
    """The networks that are there, fusions first."""
    return tuple(name for name in (*FUSIONS, *SINGLES) if (ZOO / f"{name}.onnx").is_file())


def simulated_conditions(effort: Effort) -> Conditions:
    """Monte Carlo runs by suffix of their figures; a quarter of the electrons are twice the noise."""
    usual = ElectronRun(effort.simulated, effort.electrons)
    noisy = ElectronRun(effort.simulated, effort.electrons // 4)
    seeds = SEEDS[: effort.simulated.runs]
    runs = [electron_run(usual, seed) for seed in seeds]
    return {
        "": runs,
        "_noise_x2": [electron_run(noisy, seed) for seed in seeds],
        "_misregistered_1px": [misregistered(run) for run in runs],
    }


def fast_conditions(effort: Effort) -> Conditions:
    """Runs of fast images by suffix of their figures."""
    runs = held_out_runs(effort.fast)
    return {
        "_fast": runs,
        "_fast_noise_x2": held_out_runs(replace(effort.fast, noise=2.0)),
        "_fast_misregistered_1px": [misregistered(run) for run in runs],
    }


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
    scores["voting"] = score_voting([segmenters[name] for name in SINGLES], runs)
    for name, score in scores.items():
        published = " / ".join(f"{value:g}" for value in PUBLISHED.get(name, ())) if not suffix else ""
        table.add_row(
            name + suffix.replace("_", " "),
            f"{score.mp_percent:.3f}",
            f"{score.mgp_percent:.3f}",
            f"{score.mean_dice:.4f}",
            f"{score.solid_fraction:.4f} ({score.true_solid_fraction:.4f})",
            published,
        )
    table.add_section()
    return {key + suffix: value for key, value in _figures(scores).items()}


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
        "late_solid_fraction_error": abs(late.solid_fraction / late.true_solid_fraction - 1),
    }


def _table(effort: Effort) -> Table:
    return Table(
        "method",
        "MP %",
        "MGP %",
        "mean Dice",
        "solid fraction (true)",
        "published",
        title=f"held-out runs; Monte Carlo images of {effort.electrons} electrons per pixel, then fast ones",
    )
