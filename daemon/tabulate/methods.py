"""Every way of segmenting that the papers compare, scored on the same runs; and the runs.

Held out: other structures and seeds than anything was trained, tuned or calibrated on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from daemon.emulator.electron_run import ElectronRun
from daemon.stages.segmenting import ZOO
from daemon.tabulate.electron_runs import SEEDS, electron_run
from models.evaluation import (
    VOTES,
    Beliefs,
    HeldOut,
    RenderedRun,
    Score,
    believed_run,
    held_out_runs,
    score_beliefs,
    score_clustering,
)
from models.jury import joined, shares
from models.session import Segmenter, open_segmenter

SINGLES: Final = {"unet_1kv": 1.0, "unet_2kv": 2.0, "unet_4kv": 4.0}
FUSIONS: Final = ("late_fusion", "early_fusion", "intermediate_fusion")
PAIRS: Final = tuple(combinations(SINGLES, 2))
"""What the daemon runs where one of the three voltages is missing."""
THICKNESS_ERRORS: Final = {"_thickness_0_5": 0.5, "_thickness_1_5": 1.5}

Conditions = dict[str, list[RenderedRun]]


@dataclass(frozen=True, slots=True)
class Effort:
    """Size of the fast runs and of the Monte Carlo ones, electrons per pixel of these, and how many times as
    many are sent in a long dwell.

    A dwell as published, 30 µs of 50 pA, sends 9400: hours of computing. With 30, images are far noisier
    than the published ones.
    """

    fast: HeldOut
    simulated: HeldOut
    electrons: int
    long_dwell: int = 1


QUICK: Final = Effort(
    HeldOut(runs=1, height=128, width=160, slices=7), HeldOut(runs=1, height=48, width=64, slices=4), 30
)
FULL: Final = Effort(HeldOut(), HeldOut(runs=2, height=72, width=112, slices=7), 30, long_dwell=8)


def shipped() -> tuple[str, ...]:
    """The networks that are there, fusions first."""
    return tuple(name for name in (*FUSIONS, *SINGLES) if (ZOO / f"{name}.onnx").is_file())


def open_shipped() -> dict[str, Segmenter]:
    """The same, ready to run."""
    return {name: open_segmenter(ZOO / f"{name}.onnx") for name in shipped()}


def simulated_conditions(effort: Effort) -> Conditions:
    """Monte Carlo runs by suffix of their figures; a quarter of the electrons are twice the noise."""
    usual = ElectronRun(effort.simulated, effort.electrons)
    noisy = ElectronRun(effort.simulated, effort.electrons // 4)
    calm = ElectronRun(effort.simulated, effort.electrons * effort.long_dwell)
    seeds = SEEDS[: effort.simulated.runs]
    runs = [electron_run(usual, seed) for seed in seeds]
    return {
        "": runs,
        "_long_dwell": [electron_run(calm, seed) for seed in seeds],
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


def thickness_conditions(effort: Effort) -> Conditions:
    """Fast runs of the same structures whose slices are thinner or thicker than a network expects."""
    return {
        suffix: held_out_runs(_as_thick(effort.fast, factor)) for suffix, factor in THICKNESS_ERRORS.items()
    }


def misregistered(run: RenderedRun) -> RenderedRun:
    """The lowest voltage a pixel too far down and the highest one too far right; edges repeat."""
    images = run.images.copy()
    images[:, 0, 1:] = run.images[:, 0, :-1]
    images[:, -1, :, 1:] = run.images[:, -1, :, :-1]
    return RenderedRun(images, run.labels, run.voltages_kv)


def score_methods(segmenters: Mapping[str, Segmenter], runs: Sequence[RenderedRun]) -> dict[str, Score]:
    """Scores by method: the networks given, the vote of the single ones, each two of them together, and
    k-means at each voltage."""
    believed = {name: [believed_run(one, run) for run in runs] for name, one in segmenters.items()}
    believed["voting"] = [voted(ballots) for ballots in _by_run(believed, tuple(SINGLES))]
    for pair in PAIRS:
        weights = shares([SINGLES[name] for name in pair])
        believed["+".join(pair)] = [joined(beliefs, weights) for beliefs in _by_run(believed, pair)]
    scores = {name: score_beliefs(beliefs, runs) for name, beliefs in believed.items()}
    voltages_kv = runs[0].voltages_kv
    return scores | {f"kmeans_{voltage:g}kv": score_clustering(voltage, runs) for voltage in voltages_kv}


def voted(ballots: Sequence[Beliefs]) -> Beliefs:
    """The weighted vote of three single-voltage networks, in rising order of voltage."""
    return np.tensordot(np.array(VOTES, np.float32), np.stack(ballots), axes=1)


def _by_run(believed: Mapping[str, Sequence[Beliefs]], names: Sequence[str]) -> list[tuple[Beliefs, ...]]:
    return list(zip(*(believed[name] for name in names), strict=True))


def _as_thick(held_out: HeldOut, factor: float) -> HeldOut:
    return replace(
        held_out,
        thickness_nm=factor * held_out.thickness_nm,
        thickness_sigma_nm=factor * held_out.thickness_sigma_nm,
    )
