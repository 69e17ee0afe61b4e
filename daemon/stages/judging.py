"""Verdicts on the milling: a thickness in, the sequential test's verdict and any new alarms out.

Pure: deciding what an alarm sets in motion is the runner's, doing it is ``daemon.abort``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from algorithms.drift import DriftState, DriftVerdict, Sustained, acknowledge, start_drift, step
from algorithms.fiducials import FACE_LOST
from daemon.alarms import ABORT_PENDING
from daemon.config import DriftSection
from daemon.items import Alarm, ChannelShift, RegisteredSlice, Thickness, ThicknessSource

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
SUSTAINED: Final[tuple[Sustained, ...]] = ("thicker", "thinner", "spread")
"""The verdicts that may stop a run; one odd slice or an unreadable ruler must not."""


@dataclass(frozen=True, slots=True)
class JudgingState:
    """The test, and the alarms that are on, so that each is told once."""

    drift: DriftState
    active: tuple[str, ...] = ()
    lost: bool = False
    on_face: bool = False


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


def judge(
    state: JudgingState, thickness: Thickness, told: Mapping[int, Mapping[str, Any]]
) -> tuple[JudgingState, DriftVerdict, tuple[Alarm, ...]]:
    """The leading verdict on one slice, and the alarms that it newly raises.

    ``told`` are the journal's alarms: what somebody has seen since the last slice counts no longer. The
    journal knows of it before the slice is judged, so a restart judges the slice alike.
    """
    state = _carried_on(state, told)
    measured = thickness.source is ThicknessSource.RULER
    drift, verdicts = step(
        state.drift,
        thickness.thickness_nm if measured else float("nan"),
        thickness.thickness_sigma_nm if measured else 0.0,
        thickness.mean_of_slices,
    )
    on = [verdict for verdict in verdicts if verdict.alarm]
    raised = [verdict for verdict in on if verdict.kind not in state.active or verdict.kind == "limit"]
    alarms = tuple(_alarm(verdict, thickness.index) for verdict in raised)
    active = tuple(verdict.kind for verdict in on)
    return replace(state, drift=drift, active=active), verdicts[0], alarms


def _carried_on(state: JudgingState, told: Mapping[int, Mapping[str, Any]]) -> JudgingState:
    """The test after every alarm that is on and was seen by somebody."""
    for kind in SUSTAINED:
        if kind in state.active and _seen(f"drift {kind}", told):
            active = tuple(other for other in state.active if other != kind)
            state = replace(state, drift=acknowledge(state.drift, kind), active=active)
    return state


def _seen(kind: str, told: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether the newest alarm of a kind was acknowledged, or the abort that was announced after it."""
    newest = max((number for number, alarm in told.items() if alarm["kind"] == kind), default=None)
    return newest is not None and any(
        alarm["acknowledged_by"]
        and (number == newest or (number > newest and alarm["kind"] == ABORT_PENDING))
        for number, alarm in told.items()
    )


def is_sustained(alarm: Alarm) -> bool:
    """Whether an alarm tells of drifting milling, for which an armed daemon stops the microscope."""
    return alarm.kind.removeprefix("drift ") in SUSTAINED


def judge_registration(
    state: JudgingState, registered: RegisteredSlice
) -> tuple[JudgingState, tuple[Alarm, ...]]:
    """An alarm when a slice could not be registered, or on no fiducial but on the face; each is told once
    until it is over."""
    lost = {name: shift.quality for name, shift in registered.shifts.items() if shift.source == "lost"}
    on_face = {
        name: _best_fiducial(shift)
        for name, shift in registered.shifts.items()
        if shift.source == "face" and shift.fiducials
    }
    alarms = (_lost_alarm(lost, registered.index),) if lost and not state.lost else ()
    if on_face and not state.on_face:
        alarms = (*alarms, _on_face_alarm(on_face, registered.index))
    return replace(state, lost=bool(lost), on_face=bool(on_face)), alarms


def _best_fiducial(shift: ChannelShift) -> float:
    return max(fiducial.quality for fiducial in shift.fiducials)


def _lost_alarm(quality: Mapping[str, float], index: int) -> Alarm:
    """``quality`` is how well the face was recognised in every channel that is lost."""
    return Alarm(
        "registration lost",
        index,
        f"no fiducial and no face was recognised in {', '.join(quality)}; the last shift is kept",
        measurement=min(quality.values()),
        limit=FACE_LOST,
        evidence=quality,
        remedy="Look at the image: a jump of the stage, charging, or an image of something else?",
    )


def _on_face_alarm(quality: Mapping[str, float], index: int) -> Alarm:
    """Of one fiducial that is needed none was found; ``quality`` is that of the best in each such channel.

    It may be high: a mark that only looks right, far from where it was, is not believed.
    """
    return Alarm(
        "fiducials lost",
        index,
        f"no fiducial was found in {', '.join(quality)}: the face stands in, whose errors add up",
        measurement=0.0,
        limit=1.0,
        evidence=quality,
        remedy="Look at the fiducials: milled away, covered, charging, or out of the image? Draw new ones.",
    )


def statistics(state: JudgingState) -> tuple[dict[str, float], float]:
    """The test's statistics relative to their thresholds, and the common threshold 1, for the chart."""
    drift, rules = state.drift, state.drift.rules
    return {
        "thicker": drift.thicker.evidence / rules.thicker_threshold,
        "thinner": drift.thinner.evidence / rules.thinner_threshold,
        "spread": drift.spread.evidence / rules.spread_threshold,
    }, 1.0


def _alarm(verdict: DriftVerdict, index: int) -> Alarm:
    text, remedy = _TEXTS[verdict.kind]
    return Alarm(
        kind=f"drift {verdict.kind}" if verdict.kind in SUSTAINED else f"thickness {verdict.kind}",
        slice_index=index,
        message=text.format(measured=verdict.measurement, limit=verdict.limit, slices=verdict.slices),
        measurement=verdict.measurement,
        limit=verdict.limit,
        evidence={"evidence": verdict.evidence},
        remedy=remedy,
    )
