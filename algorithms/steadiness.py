"""Is a number that describes every image still what it was when the run began? Streaming and self-starting.

The first slices teach mean and scatter; the scatter is held from below by what such a number is known to
scatter by (a prior worth ``PRIOR_SLICES`` slices), so that a calm warm-up does not make every later wobble an
alarm. An alarm needs three things at once: far outside the learned scatter, far enough to matter, and for
several slices in a row. In-control slices go on teaching, others do not: a lasting change stays visible.

How far outside follows from a promised mean run length between false alarms (:func:`limit_sigmas`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

IN_A_ROW = 3
"""Slices outside in a row: a single odd image is not a state of the instrument."""
PRIOR_SLICES = 20.0
RELEASE = 0.6
"""An alarm ends when the number is back within this part of its limit."""
_CONSTANT, _SLOPE = 2.31, 0.683
"""ln(mean run length) = constant + slope · σ², fitted to simulated runs at 2.5 to 4 σ of numbers of whose
variance four fifths wander over 30 slices (``python -m benchmarks steadiness``): less of it lasts longer."""
_MARGIN = 1.5
"""On the run length: the number may scatter by half more than its prior says."""
_NEAREST_SIGMAS = 2.5


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What matters: how far the number may go ``down`` and ``up`` from its mean (inf: does not matter), and
    ``scatter``, the standard deviation that such a number has anyway."""

    down: float
    up: float
    scatter: float


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What is known of the number: slices learned, mean, squared deviations; slices outside in a row."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    outside: int = 0
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One slice: the number, the limit on its side, both as they came in; ``begins`` when an alarm does."""

    value: float
    limit: float
    mean: float
    sigmas: float
    begins: bool


def limit_sigmas(run_length: float) -> float:
    """Distance from the mean, in learned standard deviations, that keeps this mean run length (slices).

    For one number; several that share a promise need a longer one each.
    """
    return max(float(np.sqrt(max(np.log(_MARGIN * run_length) - _CONSTANT, 0.0) / _SLOPE)), _NEAREST_SIGMAS)


def step(
    state: Steadiness, tolerance: Tolerance, value: float, warmup_slices: int, sigmas: float
) -> tuple[Steadiness, Standing]:
    """Judge one slice's number and learn from it; NaN says nothing and changes nothing.

    ``sigmas``: how far outside an alarm is, from :func:`limit_sigmas`.
    """
    if not np.isfinite(value):
        return state, Standing(value, float("nan"), state.mean, float("nan"), begins=False)
    if state.count < warmup_slices:
        return _learn(state, value), Standing(value, float("nan"), state.mean, float("nan"), begins=False)
    sigma = _sigma(state, tolerance)
    apart = value - state.mean
    reach = max(sigmas * sigma, tolerance.up if apart > 0.0 else tolerance.down)
    is_outside = abs(apart) > reach
    outside = state.outside + 1 if is_outside else 0
    alarm = outside >= IN_A_ROW or (state.alarm and abs(apart) > RELEASE * reach)
    after = replace(state if is_outside else _learn(state, value), outside=outside, alarm=alarm)
    limit = state.mean + float(np.copysign(reach, apart))
    return after, Standing(value, limit, state.mean, apart / sigma, begins=alarm and not state.alarm)


def _sigma(state: Steadiness, tolerance: Tolerance) -> float:
    """Standard deviation of a new slice about the learned mean, the prior counted in."""
    variance = (PRIOR_SLICES * tolerance.scatter**2 + state.squares) / (PRIOR_SLICES + state.count - 1.0)
    return float(np.sqrt(variance * (1.0 + 1.0 / state.count)))


def _learn(state: Steadiness, value: float) -> Steadiness:
    """Welford's update."""
    count = state.count + 1
    mean = state.mean + (value - state.mean) / count
    return replace(
        state, count=count, mean=mean, squares=state.squares + (value - state.mean) * (value - mean)
    )
