"""GOOD, LOOK or ACT: what a person across the room needs to know, with the reason in words.

ACT: something is lost unless a person does something. LOOK: the run goes on, but not as it should. The
gravest reason is told; each is one short sentence that names what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import AlarmMessage, RunMessage
from daemon.monitor.feed import Feed
from daemon.monitor.units import duration, with_sigma
from daemon.view import RunView

CPU_PROVIDER = "CPUExecutionProvider"
OVERDUE = 3.0  # usual intervals without an image after which the microscope has stalled …
PATIENT_S = 60.0  # … but never before this: nobody can act on seconds
CLOSE = 0.7  # share of the drift test's threshold from which it is worth a look
GRAVE = ("drift", "limit", "disk", "no slice", "stands still", "unreachable")


class Verdict(StrEnum):
    """How much the run needs a person."""

    GOOD = "GOOD"
    LOOK = "LOOK"
    ACT = "ACT"


SHAPES = {Verdict.GOOD: "●", Verdict.LOOK: "▲", Verdict.ACT: "■"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and why."""

    verdict: Verdict
    reason: str


def judge(feed: Feed) -> Judgement:
    """The gravest of what speaks against leaving the run alone."""
    complaints = list(_complaints(feed))
    for verdict in (Verdict.ACT, Verdict.LOOK):
        for complaint in complaints:
            if complaint.verdict is verdict:
                return complaint
    return Judgement(Verdict.GOOD, _praise(feed.view))


def is_overdue(run: RunMessage, age_s: float) -> bool:
    """Whether the microscope should have written an image long ago."""
    waits = run.state in (RunState.WAITING, RunState.WORKING)
    return waits and age_s > max(PATIENT_S, OVERDUE * run.usual_interval_s)


def image_age_s(feed: Feed) -> float:
    """Seconds since the last image, NaN before the first."""
    heartbeat = feed.view.heartbeat
    return heartbeat.last_image_age_s + feed.silent_s if heartbeat else math.nan


def is_grave(alarm: AlarmMessage) -> bool:
    """Whether an alarm threatens the run or the sample, rather than a slice."""
    return any(word in alarm.kind for word in GRAVE)


def _complaints(feed: Feed) -> Iterator[Judgement]:
    run = feed.view.run
    if run is None:
        yield Judgement(Verdict.LOOK, "No daemon answers yet; the page fills when one does.")
        return
    if feed.stale and not feed.finished:
        yield Judgement(Verdict.ACT, f"No word from the daemon since {feed.last_word}.")
    yield from _of_state(run)
    yield from _of_escalation(feed.view, run, feed.silent_s)
    yield from _of_alarms(feed.view)
    if run.state is not RunState.FINISHED:
        yield from _of_images(run, image_age_s(feed))
        yield from _of_drift(feed.view)
        yield from _of_registration(feed.view)
    yield from _of_means(run)


def _of_state(run: RunMessage) -> Iterator[Judgement]:
    match run.finish_reason:
        case FinishReason.DRIFT_ABORT:
            yield Judgement(Verdict.ACT, f"The microscope was told to stop. {run.detail}".strip())
        case FinishReason.ERRORED:
            yield Judgement(Verdict.ACT, f"The run ended in an error. {run.detail}".strip())
        case FinishReason.STOPPED:
            yield Judgement(Verdict.LOOK, "The run was stopped; started again, it goes on.")
        case _:
            pass
    if run.state is RunState.PAUSED:
        yield Judgement(Verdict.ACT, f"Paused: {run.detail or 'the output disk is full'}.")


def _of_escalation(view: RunView, run: RunMessage, silent_s: float) -> Iterator[Judgement]:
    """An abort on its way: how long one may still call it off."""
    told = view.heartbeat.escalation if view.heartbeat else run.escalation
    if told.stage == "grace":
        left = duration(max(0.0, told.grace_left_s - silent_s))
        yield Judgement(Verdict.ACT, f"ABORT in {left} unless somebody acknowledges: {told.cause}")
    elif told.stage in ("aborting", "aborted"):
        yield Judgement(Verdict.ACT, f"The microscope is being stopped: {told.cause}")


def _of_alarms(view: RunView) -> Iterator[Judgement]:
    waiting = [alarm for alarm in view.alarms.values() if not alarm.acknowledged_by]
    for alarm in reversed(waiting):
        more = f" ({len(waiting)} alarms not acknowledged)" if len(waiting) > 1 else ""
        verdict = Verdict.ACT if is_grave(alarm) else Verdict.LOOK
        where = f"Slice {alarm.slice_index}, {alarm.kind}" if alarm.slice_index else alarm.kind.capitalize()
        yield Judgement(verdict, f"{where}: {alarm.message}{more}")


def _of_images(run: RunMessage, age_s: float) -> Iterator[Judgement]:
    if is_overdue(run, age_s):
        usual = duration(run.usual_interval_s)
        yield Judgement(Verdict.ACT, f"No image for {duration(age_s)}; one usually comes every {usual}.")


def _of_drift(view: RunView) -> Iterator[Judgement]:
    last = view.drift[max(view.drift)] if view.drift else None
    if last is None or not last.threshold > 0.0:
        return
    name, value = max(last.statistics.items(), key=lambda item: item[1], default=("", 0.0))
    if value >= CLOSE * last.threshold:
        share = f"{value / last.threshold:.0%}"
        yield Judgement(Verdict.LOOK, f"Drift statistic '{name}' is at {share} of its threshold.")


def _of_registration(view: RunView) -> Iterator[Judgement]:
    newest = view.slices[max(view.slices)] if view.slices else None
    lost = [name for name, shift in newest.channels.items() if shift.source == "lost"] if newest else []
    if newest and lost:
        yield Judgement(Verdict.LOOK, f"Slice {newest.index} could not be registered: {', '.join(lost)}.")


def _of_means(run: RunMessage) -> Iterator[Judgement]:
    if not run.ledger_balanced:
        yield Judgement(Verdict.LOOK, "Not every file is accounted for.")
    if run.slices_done and run.thickness_source is ThicknessSource.TARGET:
        yield Judgement(Verdict.LOOK, "Thickness is assumed, not measured: no ruler is readable.")


def _praise(view: RunView) -> str:
    run = view.run
    if run is not None and run.state is RunState.FINISHED:
        return f"Completed: {run.slices_done} slices, {run.planes} planes of volume."
    newest = view.thickness[max(view.thickness)] if view.thickness else None
    if newest is None or not math.isfinite(newest.thickness_nm):
        return "Ready: waiting for the first slices."
    last = with_sigma(newest.thickness_nm, newest.thickness_sigma_nm, "nm")
    return f"Slice {newest.index} is {last} thick; no drift, every file accounted for."
