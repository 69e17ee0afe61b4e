"""False alarms of the verdicts on pictures: focus, contrast, brightness, shine-through of every channel.

Their numbers scatter from slice to slice and wander over some thirty slices, as those of emulated runs do. As
many series as three channels have are followed at once with the arithmetic of :mod:`algorithms.steadiness`; a
few are followed with its own ``step``, and the two must agree on every first alarm. What makes an alarm rarer
still (a change must be large enough to matter) is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from algorithms.steadiness import IN_A_ROW, PRIOR_SLICES, Steadiness, Tolerance, limit_sigmas, step
from benchmarks.drift import RunLength

PROMISE = 5000.0
CHARTS = 12
"""Four numbers of each of three channels share the promise."""
WANDER_SLICES = 30.0
WARMUP = 20
WANDERS = (0.0, 0.5, 0.8)
"""Share of the variance that wanders; the rest is forgotten at the next slice."""

Array = NDArray[np.float64]


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Mean run length until the first false alarm of any of the charts, and what a change has to wait."""
    runs, longest = (60, 2500) if quick else (600, 5000)
    title = f"verdicts on pictures: run length without a change, {CHARTS} charts, {PROMISE:.0f} asked for"
    table = Table("wander", "mean run length", "95 %", title=title)
    figures = {"disagreements": float(disagreements()), "limit_sigmas": limit_sigmas(PROMISE * CHARTS)}
    together: list[float] = []
    for wander in WANDERS:
        one = run_length(PROMISE * CHARTS, wander, runs=CHARTS * runs, longest=longest, warmup=WARMUP, seed=1)
        low, mean, high = (value / CHARTS for value in (one.interval[0], one.mean, one.interval[1]))
        key = f"mean_run_length_wander{wander:.1f}"
        figures |= {key: mean, f"{key}_low": low, f"{key}_high": high}
        together.append(mean)
        table.add_row(f"{wander:.0%}", f"{mean:.0f}", f"{low:.0f}…{high:.0f}")
    figures["mean_run_length"] = min(together)
    return table, figures


def run_length(
    promise: float, wander: float, *, runs: int, longest: int, warmup: int, seed: int
) -> RunLength:
    """Slices of single charts followed after the warm-up, and their first alarms."""
    rng = np.random.default_rng(seed)
    found = first_alarms(_series(rng, runs, warmup + longest, wander), warmup, limit_sigmas(promise)) - warmup
    return RunLength(int(np.minimum(found, longest).sum()), int((found <= longest).sum()))


def _series(rng: np.random.Generator, runs: int, slices: int, wander: float) -> Array:
    """Numbers in control (slices, runs) of unit variance: white, and forgotten within `WANDER_SLICES`."""
    memory = np.exp(-1.0 / WANDER_SLICES)
    slow, series = rng.standard_normal(runs), rng.standard_normal((slices, runs)) * np.sqrt(1.0 - wander)
    for row in series:
        slow = memory * slow + np.sqrt(1.0 - memory**2) * rng.standard_normal(runs)
        row += np.sqrt(wander) * slow
    return series


def first_alarms(series: Array, warmup: int, sigmas: float) -> NDArray[np.intp]:
    """Slices, from 1, to the first alarm of each series (slices, runs), (runs,); one beyond the end: none."""
    slices, runs = series.shape
    count, mean, squares = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    in_a_row, found = np.zeros(runs, dtype=np.intp), np.full(runs, slices + 1, dtype=np.intp)
    for number, value in enumerate(series, start=1):
        outside = np.zeros(runs, dtype=bool)
        if number > warmup:
            variance = (PRIOR_SLICES + squares) / (PRIOR_SLICES + count - 1.0) * (1.0 + 1.0 / count)
            outside = np.abs(value - mean) > sigmas * np.sqrt(variance)
        in_a_row = np.where(outside, in_a_row + 1, 0)
        found = np.where((in_a_row >= IN_A_ROW) & (found > slices), number, found)
        count = count + ~outside
        change = np.where(outside, 0.0, value - mean)
        mean = mean + change / np.maximum(count, 1.0)
        squares = squares + change * np.where(outside, 0.0, value - mean)
    return found


def disagreements(runs: int = 60, slices: int = 400) -> int:
    """First alarms on which the daemon's own step and this benchmark differ; must be 0."""
    sigmas = 2.5
    series = _series(np.random.default_rng(2), runs, slices, 0.8)
    fast = first_alarms(series, WARMUP, sigmas)
    return sum(int(_stepped(row, sigmas) != alarm) for row, alarm in zip(series.T, fast, strict=True))


def _stepped(series: Array, sigmas: float) -> int:
    state, tolerance = Steadiness(), Tolerance(0.0, 0.0, 1.0)
    for number, value in enumerate(series, start=1):
        state, standing = step(state, tolerance, float(value), WARMUP, sigmas)
        if standing.begins:
            return number
    return series.size + 1
