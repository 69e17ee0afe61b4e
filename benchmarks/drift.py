"""The drift test against its promise and against the optimal CUSUM: run lengths and delays, by simulation.

Thickness is gamma distributed with the published mean and spread. Thousands of runs are followed at once
with the arithmetic of :mod:`algorithms.drift`; a few are followed with :func:`algorithms.drift.step` itself,
and the two must agree on every alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import gammainc, ndtri, stdtr
from scipy.stats import chi2, gamma

from algorithms.change_point import change_ratios
from algorithms.drift import DriftState, start_drift, step
from algorithms.drift_charts import SPREAD_GROWTH, WINDOW
from algorithms.run_length import SCORE_LIMIT, shift_evidence, spread_evidence, threshold_for
from benchmarks.drift_river import compared

MEAN_NM, SIGMA_NM = 10.16, 3.12
SHAPE = (MEAN_NM / SIGMA_NM) ** 2
PROMISE = 5000.0
BASELINES = (0, 20, 50, 100)
"""Slices the baseline is learned from; 0: it is given."""
LATEST = 400
"""A change not found within this many slices counts with this delay."""

RATIOS = ("ratio_to_optimal", "ratio_to_one_sided_optimal", "two_sided_price")
"""Our delay over that of the optimal CUSUMs that watch both directions at our rate of false alarms; over that
of the one that is told the direction and spends all false alarms on it; the latter two over each other: what
anybody pays for watching both."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """Simulated runs for run lengths, and their longest; runs for delays. Learned baselines cost far more.

    A run that is stopped before its alarm counts with the slices it was followed.
    """

    runs: int
    longest: int
    longest_learned: int
    delays: int
    delays_learned: int


QUICK, FULL = Effort(500, 16000, 2500, 1000, 100), Effort(1000, 30000, 10000, 20000, 1500)


@dataclass(frozen=True)
class RunLength:
    """Slices followed without a change until ``alarms`` false ones, over all runs."""

    followed: int
    alarms: int

    @property
    def mean(self) -> float:
        """Slices per false alarm."""
        return self.followed / max(self.alarms, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the mean: alarms are a Poisson count (Garwood 1936)."""
        fewest = chi2.ppf(0.025, 2 * self.alarms) / 2.0 if self.alarms else 0.0
        most = chi2.ppf(0.975, 2 * self.alarms + 2) / 2.0
        return float(self.followed / most), float(self.followed / fewest) if fewest else float("inf")

    def __add__(self, other: RunLength) -> RunLength:
        return RunLength(self.followed + other.followed, self.alarms + other.alarms)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Mean run length without drift and mean delay after one, for given and learned baselines."""
    effort = QUICK if quick else FULL
    columns = ("baseline", "change", "slices", "optimal, two-sided", "optimal, one-sided")
    table = Table(*columns, title="drift test: run length without a change (95 %), delay after one")
    figures = {"disagreements": float(disagreements())}
    together = RunLength(0, 0)
    for warmup in BASELINES:
        name = f"learned{warmup}" if warmup else "given"
        length = false_alarms(warmup, effort, seed=warmup)
        together += length
        _length_row(table, figures, name, length)
        for shift in (0.5, 1.0, 2.0, -0.5, -1.0, -2.0):
            _delay_row(table, figures, name, warmup, shift, effort)
    _length_row(table, figures, "", together)
    for kind in RATIOS:
        figures[kind] = max(figures[f"{kind}_{shift:+.1f}sigma"] for shift in (1.0, -1.0))
    _river_rows(table, figures, runs=12 if quick else 120)
    return table, figures


def _length_row(table: Table, figures: dict[str, float], name: str, length: RunLength) -> None:
    key = f"mean_run_length_{name}" if name else "mean_run_length"
    low, high = length.interval
    figures |= {key: length.mean, f"{key}_low": low, f"{key}_high": high}
    cell = f"{length.mean:.0f} ({low:.0f}…{high:.0f})"
    table.add_row(name or "all", "none (mean run length)", cell, f"{PROMISE:.0f}", f"{PROMISE:.0f}")


def _delay_row(
    table: Table, figures: dict[str, float], name: str, warmup: int, shift: float, effort: Effort
) -> None:
    runs = effort.delays_learned if warmup else effort.delays
    delay = mean_delay(warmup, shift, runs, seed=7)
    both, single = (optimal_delay(shift, sides, effort.delays, seed=7) for sides in (2, 1))
    figures[f"delay_{shift:+.1f}sigma_{name}"] = delay
    if warmup == 0:
        ratios = (delay / both, delay / single, both / single)
        figures |= {f"{kind}_{shift:+.1f}sigma": r for kind, r in zip(RATIOS, ratios, strict=True)}
    table.add_row(name, f"{shift:+.1f} σ", f"{delay:.2f}", f"{both:.2f}", f"{single:.2f}")


def milling(rng: np.random.Generator, shape: tuple[int, ...], shift: float = 0.0) -> Array:
    """Gamma-distributed thickness (nm) whose mean is ``shift`` σ off and whose spread is the usual one."""
    mean = max(MEAN_NM + shift * SIGMA_NM, 0.2 * MEAN_NM)
    return rng.gamma((mean / SIGMA_NM) ** 2, SIGMA_NM**2 / mean, shape)


def scores(thickness_nm: Array, warmup: int) -> Array:
    """Normal scores (runs, n - warmup) of thickness (runs, n), as the drift test computes them one by one."""
    if warmup == 0:
        normal = ndtri(np.clip(gammainc(SHAPE, thickness_nm * MEAN_NM / SIGMA_NM**2), 1e-12, 1 - 1e-12))
        return np.clip(normal, -SCORE_LIMIT, SCORE_LIMIT)
    root = np.cbrt(thickness_nm)
    count = np.arange(1, root.shape[1])
    mean = np.cumsum(root, axis=1)[:, :-1] / count
    centred = root - root[:, :1]  # against cancellation in the sum of squares
    squares = np.cumsum(centred**2, axis=1)[:, :-1] - count * (mean - root[:, :1]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(np.maximum(squares, 0.0) / (count - 1) * (1.0 + 1.0 / count))
        student = (root[:, 1:] - mean) / deviation
    known = np.s_[:, warmup - 1 :]
    return np.clip(ndtri(stdtr(count[warmup - 1 :] - 1, student[known])), -SCORE_LIMIT, SCORE_LIMIT)


def first_alarms(thickness_nm: Array, warmup: int, state: DriftState) -> NDArray[np.intp]:
    """Slices after the warm-up to the first sustained alarm of thickness (runs, n), (runs,); n + 1: none."""
    rules, score = state.rules, scores(thickness_nm, warmup)
    grid = np.linspace(-SCORE_LIMIT, SCORE_LIMIT, 8001)
    even = score.shape[1] // 2 * 2
    pairs = (score[:, 1:even:2] - score[:, 0:even:2]) / np.sqrt(2.0)
    wide = first_crossing(spread_evidence(pairs, SPREAD_GROWTH), rules.spread_threshold)
    spread = np.where(wide > pairs.shape[1], score.shape[1] + 1, 2 * wide)
    if warmup:
        return np.minimum(spread, first_changes(np.cbrt(thickness_nm), warmup, state))
    for sign, threshold in ((1.0, rules.thicker_threshold), (-1.0, rules.thinner_threshold)):
        evidence = shift_evidence(grid, rules.shape, sign * rules.shift_sigma)
        spread = np.minimum(spread, first_crossing(np.interp(score, grid, evidence), threshold))
    return spread


def first_changes(root: Array, warmup: int, state: DriftState) -> NDArray[np.intp]:
    """The same for the two charts of the mean with a learned baseline, from the cube roots (runs, n)."""
    rules, (runs, slices) = state.rules, root.shape
    charts = tuple(zip(rules.root_shifts, (rules.thicker_threshold, rules.thinner_threshold), strict=True))
    learned = root.copy()
    mean, squares = root[:, :warmup].mean(axis=1), root[:, :warmup].var(axis=1) * warmup
    found = np.full(runs, slices - warmup + 1, dtype=np.intp)
    for count in range(warmup, slices):
        deviation = np.sqrt(squares / (count - 1) * (1.0 + 1.0 / count))
        value = np.clip(root[:, count], mean - SCORE_LIMIT * deviation, mean + SCORE_LIMIT * deviation)
        learned[:, count], old = value, mean
        mean = mean + (value - mean) / (count + 1)
        squares = squares + (value - old) * (value - mean)
        recent = learned[:, max(warmup, count + 1 - WINDOW) : count + 1]
        for shift, threshold in charts:
            ratios = np.exp(change_ratios(recent, count + 1, mean, squares, shift))
            new = (np.log1p(ratios.sum(axis=1)) > threshold) & (found > slices - warmup)
            found[new] = count + 1 - warmup
        if np.all(found <= slices - warmup):
            break
    return found


def first_crossing(increments: Array, threshold: float) -> NDArray[np.intp]:
    """Steps (runs,) until a CUSUM of increments (runs, n) exceeds the threshold, else n + 1."""
    runs, steps = increments.shape
    level, crossing = np.zeros(runs), np.full(runs, steps + 1, dtype=np.intp)
    for number, column in enumerate(increments.T, start=1):
        level = np.maximum(level + column, 0.0)
        crossing[(level > threshold) & (crossing > steps)] = number
    return crossing


def _start(warmup: int) -> DriftState:
    if warmup:
        return start_drift(warmup_slices=warmup, false_alarm_slices=PROMISE)
    return start_drift(baseline_nm=(MEAN_NM, SIGMA_NM), false_alarm_slices=PROMISE)


def false_alarms(warmup: int, effort: Effort, seed: int) -> RunLength:
    """Runs without a change, followed after the warm-up; a run ends with its first alarm."""
    rng, state = np.random.default_rng([seed, 1]), _start(warmup)
    longest = effort.longest_learned if warmup else effort.longest
    length = RunLength(0, 0)
    for _ in range(effort.runs // 100):  # in portions, for the memory
        found = first_alarms(milling(rng, (100, warmup + longest)), warmup, state)
        length += RunLength(int(np.minimum(found, longest).sum()), int((found <= longest).sum()))
    return length


def mean_delay(warmup: int, shift: float, runs: int, seed: int) -> float:
    """Mean slices from a change, right after the warm-up, to the alarm; earlier runs had none."""
    found = first_alarms(_changed(warmup, shift, runs, seed), warmup, _start(warmup))
    return float(np.minimum(found, LATEST).mean())


def _changed(before: int, shift: float, runs: int, seed: int) -> Array:
    """Series (runs, before + LATEST) whose mean shifts after ``before`` slices."""
    rng = np.random.default_rng([seed, 2])
    return np.hstack([milling(rng, (runs, before)), milling(rng, (runs, LATEST), shift)])


@lru_cache(maxsize=32)
def optimal_delay(shift: float, sides: int, runs: int, seed: int) -> float:
    """Mean delay of Page's CUSUM that knows both distributions, at the same rate of false alarms.

    Optimal by Moustakides, *Ann. Statist.* 14 (1986) 1379. With ``sides`` = 2 it must watch the other
    direction too and has half the false alarms for this one, as the drift test; with 1 it is told which.
    """
    mean = max(MEAN_NM + shift * SIGMA_NM, 0.2 * MEAN_NM)
    after: Any = gamma((mean / SIGMA_NM) ** 2, scale=SIGMA_NM**2 / mean)
    before: Any = gamma(SHAPE, scale=MEAN_NM / SHAPE)
    probability = (np.arange(400_000) + 0.5) / 400_000
    typical = np.asarray(before.ppf(probability))
    ratios = np.sort(after.logpdf(typical) - before.logpdf(typical))

    def distribution(value: Array) -> Array:
        return np.searchsorted(ratios, value) / ratios.size

    series = _changed(0, shift, runs, seed)
    increments = np.asarray(after.logpdf(series) - before.logpdf(series))
    found = first_crossing(increments, threshold_for(distribution, sides * PROMISE))
    return float(np.minimum(found, LATEST).mean())


def disagreements(runs: int = 6, slices: int = 300) -> int:
    """Alarms on which :func:`algorithms.drift.step` and this benchmark's arithmetic differ; must be 0."""
    rng, differing = np.random.default_rng(3), 0
    for warmup in (0, 20):
        series = np.hstack([milling(rng, (runs, 40 + warmup)), milling(rng, (runs, slices), 0.7)])
        fast = first_alarms(series, warmup, _start(warmup)) + warmup
        differing += sum(int(_stepped(row, warmup) != alarm) for row, alarm in zip(series, fast, strict=True))
    return differing


def _stepped(series: Array, warmup: int) -> int:
    state = _start(warmup)
    for number, thickness in enumerate(series, start=1):
        state, verdicts = step(state, float(thickness))
        if any(verdict.alarm and verdict.kind != "limit" for verdict in verdicts):
            return number
    return series.size + 1


def _river_rows(table: Table, figures: dict[str, float], runs: int) -> None:
    """river's detectors on series of ours; they learn from the 100 slices before the change."""
    calm = milling(np.random.default_rng(5), (runs, 3000))
    changed = _changed(100, 1.0, runs, seed=7)
    for name, length, delay in compared(calm, changed, 100, PROMISE, 0.5 * SIGMA_NM):
        figures |= {f"river_{name}_mean_run_length": length, f"river_{name}_delay_+1.0sigma": delay}
        table.add_row(f"river {name}", "none (mean run length)", f"{length:.0f}", f"{PROMISE:.0f}", "")
        table.add_row(f"river {name}", "+1.0 σ", f"{delay:.2f}", "", "")
