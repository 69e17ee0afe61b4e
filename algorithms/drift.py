"""Has the milling drifted? A sequential test on slice thickness with a promised rate of false alarms.

Every slice becomes a *score* that is standard normal as long as nothing changes:

- with a given baseline, the normal quantile of its probability under the baseline's gamma distribution;
- with a learned one, from the slices before it: the cube root of a gamma variable is normal to within a few
  thousandths (Wilson & Hilferty, *PNAS* 17 (1931) 684), so the new cube root against the mean and the
  scatter of the earlier ones is Student's t, exactly and independently for every slice, however short the
  warm-up (Quesenberry, *J. Quality Technology* 23 (1991) 213; Hawkins, *The Statistician* 36 (1987) 299). A
  baseline from 20 slices therefore keeps the same promise as a known one; it only needs longer to see a
  change.

Three CUSUMs (Page, *Biometrika* 41 (1954) 100) share the promised rate: mean up, mean down, both with the
log-likelihood ratio of the gamma distribution, and growth of the spread. Single-slice limits and an
unreadable ruler are verdicts of their own and no part of the promise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtri, stdtr

from algorithms.run_length import (
    SCORE_LIMIT,
    gamma_score,
    shift_evidence,
    shift_threshold,
    spread_evidence,
    spread_threshold,
)

DriftKind: TypeAlias = Literal["warming up", "steady", "thicker", "thinner", "spread", "limit", "unreadable"]

PUBLISHED_SHAPE = (10.16 / 3.12) ** 2  # 316 slices of hierarchical nanoporous gold: mean and σ in nm
SPREAD_GROWTH = 1.5
_SPREAD_SHARE = 0.06  # of the false alarms; the two directions of the mean share the rest
_RELEASE = 0.5  # an alarm ends when its evidence has fallen to this part of its threshold
_CEILING = 1.5  # evidence beyond this many thresholds is not kept, or an alarm would outlast its cause
_SHORTEST_WARMUP = 5


@dataclass(frozen=True, slots=True)
class DriftRules:
    """What is promised and what is watched for. Thresholds are in units of log-likelihood ratio."""

    warmup_slices: int
    shift_sigma: float
    false_alarm_slices: float
    limits_nm: tuple[float, float]
    unreadable_slices: int
    shape: float
    thicker_threshold: float
    thinner_threshold: float
    spread_threshold: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One CUSUM: its evidence, slices since it last was 0, their total thickness (spread: score²), alarm."""

    evidence: float = 0.0
    slices: int = 0
    total: float = 0.0
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class DriftState:
    """Everything the test remembers. ``count``, ``mean``, ``squares``: the learned cube roots."""

    rules: DriftRules
    given_mean_nm: float
    given_sigma_nm: float
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    thicker: Chart = Chart()
    thinner: Chart = Chart()
    spread: Chart = Chart()
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """One slice's verdict. ``evidence`` is relative to what an alarm needs: 1 alarms.

    ``measurement`` and ``limit`` by kind: thicker, thinner: mean thickness (nm) over the suspicious slices,
    and the mean half-way to the smallest change watched for; spread: standard deviation (nm) and its
    half-way mark; limit: the slice's thickness and the limit; unreadable: slices in a row and how many are
    allowed; otherwise the slice's thickness and the baseline's mean. ``slices`` is how many slices the
    verdict rests on, ``active`` every alarm that is on.
    """

    kind: DriftKind
    measurement: float
    limit: float
    evidence: float
    alarm: bool
    slices: int
    active: tuple[DriftKind, ...]


def start_drift(
    *,
    warmup_slices: int = 20,
    shift_sigma: float = 1.0,
    false_alarm_slices: float = 5000.0,
    limits_nm: tuple[float, float] = (2.0, 25.0),
    unreadable_slices: int = 3,
    baseline_nm: tuple[float, float] | None = None,
) -> DriftState:
    """A test that has seen nothing. ``baseline_nm`` (mean, σ) of an earlier run replaces the warm-up.

    Raises ValueError for a promise that cannot be kept. Takes some 0.2 s: the thresholds are computed.
    """
    _check(warmup_slices, shift_sigma, false_alarm_slices, limits_nm, baseline_nm)
    mean, sigma = baseline_nm or (float("nan"), float("nan"))
    shape = (mean / sigma) ** 2 if baseline_nm else PUBLISHED_SHAPE
    one_sided = 2.0 * false_alarm_slices / (1.0 - _SPREAD_SHARE)
    rules = DriftRules(
        warmup_slices=warmup_slices,
        shift_sigma=shift_sigma,
        false_alarm_slices=false_alarm_slices,
        limits_nm=limits_nm,
        unreadable_slices=unreadable_slices,
        shape=shape,
        thicker_threshold=shift_threshold(shape, shift_sigma, one_sided),
        thinner_threshold=shift_threshold(shape, -shift_sigma, one_sided),
        spread_threshold=spread_threshold(SPREAD_GROWTH, false_alarm_slices / _SPREAD_SHARE),
    )
    return DriftState(rules, mean, sigma)


def _check(
    warmup: int,
    shift: float,
    false_alarm: float,
    limits: tuple[float, float],
    baseline: tuple[float, float] | None,
) -> None:
    if warmup < _SHORTEST_WARMUP:
        raise ValueError(f"drift.warmup_slices is {warmup}: a baseline needs {_SHORTEST_WARMUP} or more")
    if not 0.1 <= shift <= 5.0:
        raise ValueError(f"drift.shift_sigma is {shift}: choose the smallest change to detect, 0.1 to 5 σ")
    if not 10.0 <= false_alarm <= 1e7:
        raise ValueError(f"drift.false_alarm_slices is {false_alarm}: choose 10 to 10 million slices")
    if not limits[0] < limits[1]:
        raise ValueError(f"drift.limits_nm is {list(limits)}: the lower limit must come first")
    if baseline is not None and not (baseline[0] > 0.0 and 0.0 < baseline[1] < baseline[0]):
        raise ValueError(f"drift baseline is {baseline}: give mean and σ in nm, 0 < σ < mean")


def step(state: DriftState, thickness_nm: float, sigma_nm: float = 0.0) -> tuple[DriftState, DriftVerdict]:
    """Take one slice's thickness ± its standard error (NaN: the ruler could not be read)."""
    if not np.isfinite(thickness_nm):
        return _unreadable(state)
    state = replace(state, unreadable=0)
    score = _score(state, thickness_nm, sigma_nm)
    judged = state if score is None else _update(state, score, thickness_nm)
    learned = judged if _active(judged) or _outside(state, thickness_nm) else _learn(judged, thickness_nm)
    return learned, _verdict(judged, thickness_nm, sigma_nm, warming=score is None)


def acknowledge(state: DriftState) -> DriftState:
    """Forget the evidence, keep the baseline: what an operator's "seen, carry on" means."""
    return replace(state, thicker=Chart(), thinner=Chart(), spread=Chart(), unreadable=0)


def baseline_nm(state: DriftState) -> tuple[float, float]:
    """Mean and σ (nm) of the baseline; NaN before two slices are learned.

    From the moments of a normal cube root: E y³ = m³ + 3 m v, and the spread to first and second order.
    """
    if np.isfinite(state.given_mean_nm):
        return state.given_mean_nm, state.given_sigma_nm
    if state.count < 2:
        return float("nan"), float("nan")
    m, v = state.mean, state.squares / (state.count - 1)
    return m**3 + 3.0 * m * v, float(np.sqrt(9.0 * m**4 * v + 36.0 * m**2 * v**2 + 15.0 * v**3))


def _score(state: DriftState, thickness_nm: float, sigma_nm: float) -> float | None:
    """The slice's normal score, or None while there is no baseline.

    An uncertain measurement speaks with a lower voice: it is shrunk by the share of milling in its variance.
    """
    mean, spread = baseline_nm(state)
    if np.isfinite(state.given_mean_nm):
        score = gamma_score(thickness_nm, mean, spread)
    elif state.count < state.rules.warmup_slices or state.squares <= 0.0:
        return None
    else:
        deviation = float(np.sqrt(state.squares / (state.count - 1) * (1.0 + 1.0 / state.count)))
        student = (float(np.cbrt(thickness_nm)) - state.mean) / deviation
        score = float(np.clip(ndtri(stdtr(state.count - 1, student)), -SCORE_LIMIT, SCORE_LIMIT))
    return score * spread / float(np.hypot(spread, sigma_nm))


def _learn(state: DriftState, thickness_nm: float) -> DriftState:
    """Welford's update of the cube roots' mean and sum of squares."""
    root = float(np.cbrt(thickness_nm))
    count = state.count + 1
    mean = state.mean + (root - state.mean) / count
    squares = state.squares + (root - state.mean) * (root - mean)
    return replace(state, count=count, mean=mean, squares=squares)


def _update(state: DriftState, score: float, thickness_nm: float) -> DriftState:
    rules, at = state.rules, np.array([score])
    up = float(shift_evidence(at, rules.shape, rules.shift_sigma)[0])
    down = float(shift_evidence(at, rules.shape, -rules.shift_sigma)[0])
    wide = float(spread_evidence(at, SPREAD_GROWTH)[0])
    return replace(
        state,
        thicker=_add(state.thicker, up, rules.thicker_threshold, thickness_nm),
        thinner=_add(state.thinner, down, rules.thinner_threshold, thickness_nm),
        spread=_add(state.spread, wide, rules.spread_threshold, abs(score) ** 2),
    )


def _add(chart: Chart, increment: float, threshold: float, amount: float) -> Chart:
    evidence = min(max(chart.evidence + increment, 0.0), _CEILING * threshold)
    if evidence == 0.0:
        return Chart()
    alarm = evidence > threshold or (chart.alarm and evidence > _RELEASE * threshold)
    return Chart(evidence, chart.slices + 1, chart.total + amount, alarm)


def _active(state: DriftState) -> tuple[DriftKind, ...]:
    charts: tuple[tuple[DriftKind, Chart], ...] = (
        ("thicker", state.thicker),
        ("thinner", state.thinner),
        ("spread", state.spread),
    )
    return tuple(kind for kind, chart in charts if chart.alarm)


def _outside(state: DriftState, thickness_nm: float) -> bool:
    lower, upper = state.rules.limits_nm
    return not lower <= thickness_nm <= upper


def _unreadable(state: DriftState) -> tuple[DriftState, DriftVerdict]:
    missed, allowed = state.unreadable + 1, state.rules.unreadable_slices
    alarm = missed >= allowed
    active = (*_active(state), "unreadable") if alarm else _active(state)
    verdict = DriftVerdict("unreadable", missed, allowed, missed / allowed, alarm, missed, active)
    return replace(state, unreadable=missed), verdict


def _verdict(state: DriftState, thickness_nm: float, sigma_nm: float, *, warming: bool) -> DriftVerdict:
    active = _active(state)
    if _outside(state, thickness_nm):
        return _limit_verdict(state, thickness_nm, sigma_nm, active)
    mean, spread = baseline_nm(state)
    if warming:
        return DriftVerdict("warming up", thickness_nm, mean, 0.0, False, state.count, active)
    rules = state.rules
    strength: dict[DriftKind, tuple[Chart, float]] = {
        "thicker": (state.thicker, state.thicker.evidence / rules.thicker_threshold),
        "thinner": (state.thinner, state.thinner.evidence / rules.thinner_threshold),
        "spread": (state.spread, state.spread.evidence / rules.spread_threshold),
    }
    kind = max(active or strength, key=lambda name: strength[name][1])
    chart, evidence = strength[kind]
    if not active:
        return DriftVerdict("steady", thickness_nm, mean, evidence, False, chart.slices, active)
    measured, limit = _measured(kind, chart, mean, spread, rules.shift_sigma)
    return DriftVerdict(kind, measured, limit, evidence, True, chart.slices, active)


def _measured(
    kind: DriftKind, chart: Chart, mean: float, spread: float, shift_sigma: float
) -> tuple[float, float]:
    average = chart.total / chart.slices
    if kind == "spread":
        return spread * float(np.sqrt(average)), spread * 0.5 * (1.0 + SPREAD_GROWTH)
    return average, mean + (0.5 if kind == "thicker" else -0.5) * shift_sigma * spread


def _limit_verdict(
    state: DriftState, thickness_nm: float, sigma_nm: float, active: tuple[DriftKind, ...]
) -> DriftVerdict:
    """Evidence of a limit: 1 at the limit, plus how many standard errors the slice lies beyond it."""
    lower, upper = state.rules.limits_nm
    limit = lower if thickness_nm < lower else upper
    evidence = 1.0 + abs(thickness_nm - limit) / max(sigma_nm, 1e-3)
    return DriftVerdict("limit", thickness_nm, limit, evidence, True, 1, (*active, "limit"))
