"""Is a number that describes every image still what it was when the run began? Streaming and self-starting.

The first slices teach mean and scatter; the scatter is held from below by what such a number is known to
scatter by (a prior worth ``PRIOR_SLICES`` slices), so that a calm warm-up does not make every later wobble an
alarm. An alarm needs three things at once: far outside the learned scatter, far enough to matter, and for
several slices in a row. In-control slices go on teaching, others do not: a lasting change stays visible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SIGMAS = 4.0
"""Distance from the mean in learned standard deviations …"""
IN_A_ROW = 3
"""… for so many slices: a single odd image is not a state of the instrument."""
PRIOR_SLICES = 20.0
RELEASE = 0.6
"""An alarm ends when the number is back within this part of its limit."""


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


def step(
    state: Steadiness, tolerance: Tolerance, value: float, warmup_slices: int
) -> tuple[Steadiness, Standing]:
    """Judge one slice's number and learn from it; NaN says nothing and changes nothing."""
    if not np.isfinite(value):
        return state, Standing(value, float("nan"), state.mean, float("nan"), begins=False)
    if state.count < warmup_slices:
        return _learn(state, value), Standing(value, float("nan"), state.mean, float("nan"), begins=False)
    sigma = _sigma(state, tolerance)
    apart = value - state.mean
    reach = max(SIGMAS * sigma, tolerance.up if apart > 0.0 else tolerance.down)
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
