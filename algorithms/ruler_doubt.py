"""What one slice makes likely is told and remembered when a second one running says the same.

That the magnification has changed, or that the marks disagree: in a run of thousands of images chance, and
ever so slightly wrong errors, suggest either now and then. The slice is solved with it all the same, so its
thickness is as exact, and its error as wide, as the slice itself says.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_slice import ImageShift, SliceSolution
from algorithms.ruler_state import RulerState

Array: TypeAlias = NDArray[np.float64]

_SAME_SIGMA = 5.0  # standard errors within which two slices have the same magnification


def doubts_told(state: RulerState, solved: SliceSolution) -> tuple[str, ...]:
    """Notes on what this slice and the one before it suggest alike."""
    told: list[str] = []
    if solved.changed and confirmed(state, solved.shifts):
        most = max((shift.magnification for shift in solved.shifts), key=abs)
        told.append(f"the magnification has changed: {most:+.3%} of the first slice's, two slices running")
    if solved.disagreement and state.disagreed:
        told.append(
            f"the marks disagree (χ²/dof {solved.disagreement:.1f}), {state.disagreed + 1} slices running, "
            "and none can be blamed: the error is widened"
        )
    return tuple(told)


def confirmed(state: RulerState, shifts: tuple[ImageShift, ...]) -> bool:
    """Whether the last slice suspected these magnifications, wherever it suspected any."""
    before = np.array([_suspected(state, shift.channel) for shift in shifts])
    found = np.array([shift.magnification for shift in shifts])
    sigma = np.array([shift.magnification_sigma for shift in shifts])
    asked = np.isfinite(before)
    same = np.abs(found - before) <= _SAME_SIGMA * np.sqrt(2.0) * sigma
    return bool(asked.any() and same[asked].all())


def suspicions(state: RulerState, shifts: tuple[ImageShift, ...]) -> Array:
    """The magnifications (c,) of a slice that suggests other ones; NaN for channels without an image."""
    suspected = np.full(len(state.channels), np.nan)
    for shift in shifts:
        suspected[state.channels.index(shift.channel)] = shift.magnification
    return suspected


def _suspected(state: RulerState, channel: str) -> float:
    return (
        float(state.suspected[state.channels.index(channel)]) if channel in state.channels else float("nan")
    )
