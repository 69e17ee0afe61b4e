"""Verdicts on the milling: a thickness in, the sequential test's verdict and any new alarms out.

Pure: deciding what an alarm sets in motion is the runner's, doing it is ``daemon.abort``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from algorithms.drift import DriftState, DriftVerdict, start_drift, step
from daemon.config import DriftSection
from daemon.items import Alarm, RegisteredSlice, Thickness, ThicknessSource

_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "thicker": (
        "slices have become thicker: {measured:.2f} nm on average over the last {slices}, "
        "the baseline allows {limit:.2f} nm",
        "Check ion beam current, focus and drift correction; lower the milling step, or stop the run.",
    ),
    "thinner": (
        "slices have become thinner: {measured:.2f} nm on average over the last {slices}, "
        "the baseline allows {limit:.2f} nm",
        "Check ion beam current, focus and drift correction, or stop the run.",
    ),
    "spread": (
        "slice thickness scatters more: σ {measured:.2f} nm over the last {slices} slices, "
        "{limit:.2f} nm is allowed",
        "Check the stability of stage and ion beam.",
    ),
    "limit": (
        "a single slice of {measured:.2f} nm lies outside the limit of {limit:.2f} nm",
        "Look at this slice; a jump of the stage or a charging ruler does this.",
    ),
    "unreadable": (
        "the ruler could not be read in {measured:.0f} slices in a row; thickness is assumed",
        "Look at the ruler marks: out of the field of view, covered, or out of focus?",
    ),
}
SUSTAINED: Final = frozenset({"thicker", "thinner", "spread"})
"""The verdicts that may stop a run; one odd slice or an unreadable ruler must not."""


@dataclass(frozen=True, slots=True)
class JudgingState:
    """The test, and the alarms that are on, so that each is told once."""

    drift: DriftState
    active: tuple[str, ...] = ()
    lost: bool = False


def begin_judging(section: DriftSection) -> JudgingState:
    """The state before the first slice."""
    return JudgingState(
        start_drift(
            warmup_slices=section.warmup_slices,
            shift_sigma=section.shift_sigma,
            false_alarm_slices=section.false_alarm_slices,
            limits_nm=section.limits_nm,
            baseline_nm=section.baseline_nm if section.baseline_nm[0] else None,
        )
    )


def judge(state: JudgingState, thickness: Thickness) -> tuple[JudgingState, DriftVerdict, tuple[Alarm, ...]]:
    """The verdict on one slice, and the alarms that it newly raises."""
    measured = thickness.source is ThicknessSource.RULER
    drift, verdict = step(
        state.drift,
        thickness.thickness_nm if measured else float("nan"),
        thickness.thickness_sigma_nm if measured else 0.0,
        thickness.mean_of_slices,
    )
    raised = tuple(kind for kind in verdict.active if kind not in state.active or kind == "limit")
    alarms = tuple(_alarm(kind, verdict, thickness.index) for kind in raised)
    return replace(state, drift=drift, active=verdict.active), verdict, alarms


def is_sustained(alarm: Alarm) -> bool:
    """Whether an alarm tells of drifting milling, for which an armed daemon stops the microscope."""
    return alarm.kind.removeprefix("drift ") in SUSTAINED


def judge_registration(
    state: JudgingState, registered: RegisteredSlice
) -> tuple[JudgingState, tuple[Alarm, ...]]:
    """An alarm when a slice could not be registered, told once until registration is found again."""
    lost = [name for name, shift in registered.shifts.items() if shift.source == "lost"]
    alarms = (
        (
            Alarm(
                "registration lost",
                registered.index,
                f"no fiducial and no face was recognised in {', '.join(lost)}; the last shift is kept",
                evidence={name: registered.shifts[name].quality for name in lost},
                remedy="Look at the image: a jump of the stage, charging, or an image of something else?",
            ),
        )
        if lost and not state.lost
        else ()
    )
    return replace(state, lost=bool(lost)), alarms


def statistics(state: JudgingState) -> tuple[dict[str, float], float]:
    """The test's statistics relative to their thresholds, and the common threshold 1, for the chart."""
    drift, rules = state.drift, state.drift.rules
    return {
        "thicker": drift.thicker.evidence / rules.thicker_threshold,
        "thinner": drift.thinner.evidence / rules.thinner_threshold,
        "spread": drift.spread.evidence / rules.spread_threshold,
    }, 1.0


def _alarm(kind: str, verdict: DriftVerdict, index: int) -> Alarm:
    text, remedy = _TEXTS[kind]
    own = kind == verdict.kind
    message = (
        text.format(measured=verdict.measurement, limit=verdict.limit, slices=verdict.slices)
        if own
        else f"the test for '{kind}' has passed its threshold"
    )
    return Alarm(
        kind=f"drift {kind}" if kind in SUSTAINED else f"thickness {kind}",
        slice_index=index,
        message=message,
        measurement=verdict.measurement if own else float("nan"),
        limit=verdict.limit if own else float("nan"),
        evidence={"evidence": verdict.evidence},
        remedy=remedy,
    )
