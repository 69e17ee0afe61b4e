"""The status bar in words: what is told of the run, each with its name and how worried one should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PureWindowsPath

from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import HeartbeatMessage, RunMessage
from daemon.monitor.feed import Feed
from daemon.monitor.palette import SOURCE_NAMES
from daemon.monitor.units import UNKNOWN, duration

CPU_PROVIDER = "CPUExecutionProvider"
OVERDUE = 3.0  # usual intervals without an image after which the microscope has stalled


class Tone(StrEnum):
    """How a value is shown."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Status:
    """One field of the bar; ``hint`` is its tooltip."""

    name: str
    value: str
    tone: Tone = Tone.PLAIN
    hint: str = ""


STATES = {
    RunState.STARTING: Status("State", "starting"),
    RunState.WAITING: Status("State", "waiting for images", Tone.GOOD),
    RunState.WORKING: Status("State", "running", Tone.GOOD),
    RunState.PAUSED: Status("State", "paused: output disk full", Tone.BAD),
    RunState.FINISHING: Status("State", "finishing"),
}
ENDS = {
    FinishReason.COMPLETED: Status("State", "completed", Tone.GOOD),
    FinishReason.STOPPED: Status("State", "stopped", Tone.WARN),
    FinishReason.DRIFT_ABORT: Status("State", "aborted: drift", Tone.BAD),
    FinishReason.ERRORED: Status("State", "ended by an error", Tone.BAD),
}


def statuses(feed: Feed) -> list[Status]:
    """All fields of the bar, in reading order."""
    run = feed.view.run
    if run is None:
        return [state(feed)]
    return [
        state(feed),
        project(run),
        progress(run),
        last_image(run, feed.view.heartbeat, feed.silent_s),
        compute(run),
        thickness(run),
        abort(run),
        ledger(run),
    ]


def state(feed: Feed) -> Status:
    """What the daemon does, or that nobody knows."""
    run = feed.view.run
    if run is None:
        return Status("State", "waiting for a daemon", Tone.WARN, feed.trouble)
    if feed.stale and not feed.finished:
        return Status("State", "daemon unreachable", Tone.BAD, feed.trouble)
    return ENDS[run.finish_reason] if run.finish_reason else STATES.get(run.state, Status("State", run.state))


def notice(feed: Feed) -> str:
    """The line across the page when what it shows is not the present; empty when it is."""
    if feed.finished or not feed.stale:
        return ""
    if feed.view.run is None:
        return feed.trouble or f"No daemon answers at {feed.control} yet. The page fills when one does."
    known = feed.view.envelope.time.astimezone().strftime("%H:%M:%S") if feed.view.envelope else UNKNOWN
    return (
        f"Daemon unreachable for {duration(feed.silent_s)}: this page is as of {known}. "
        f"{feed.trouble or 'Check that slicewatch still runs beside the microscope.'}"
    )


def progress(run: RunMessage) -> Status:
    """Slices done, of how many, and how many are missing."""
    of = f" of {run.slices_expected}" if run.slices_expected else ""
    gaps = f", {run.gaps} gap{'s' * (run.gaps != 1)}" if run.gaps else ""
    return Status("Slice", f"{run.slices_done}{of}{gaps}", Tone.WARN if run.gaps else Tone.PLAIN)


def last_image(run: RunMessage, heartbeat: HeartbeatMessage | None, silent_s: float) -> Status:
    """How long ago the microscope wrote an image, against its usual interval."""
    age_s = heartbeat.last_image_age_s + silent_s if heartbeat else math.nan
    usual = f"usually every {duration(run.usual_interval_s)}" if math.isfinite(run.usual_interval_s) else ""
    overdue = run.state is not RunState.FINISHED and age_s > OVERDUE * run.usual_interval_s
    value = f"{duration(age_s)} ago" if math.isfinite(age_s) else UNKNOWN
    return Status("Last image", value, Tone.WARN if overdue else Tone.PLAIN, usual)


def compute(run: RunMessage) -> Status:
    """Where the network really runs; a fall-back to the processor is said aloud."""
    hint = f"{run.model}: {run.provider}, wanted {run.provider_wanted}"
    if run.provider == CPU_PROVIDER and run.provider_wanted != CPU_PROVIDER:
        return Status("Network on", f"{run.device}, no GPU", Tone.WARN, hint)
    return Status("Network on", run.device or UNKNOWN, Tone.PLAIN, hint)


def project(run: RunMessage) -> Status:
    """The acquisition by the last part of its path, whichever system's path it is."""
    name = PureWindowsPath(run.project).name  # understands both separators
    return Status("Project", name or UNKNOWN, Tone.PLAIN, run.project)


def thickness(run: RunMessage) -> Status:
    """Where thickness comes from; an assumed one is no measurement and must not look like one."""
    if run.slices_done == 0:
        return Status("Thickness", UNKNOWN)
    if run.thickness_source is ThicknessSource.TARGET:
        value = f"ASSUMED {run.target_thickness_nm:g} nm"
        return Status("Thickness", value, Tone.WARN, "No ruler is configured: nothing measures the slices.")
    tone = Tone.GOOD if run.thickness_source is ThicknessSource.RULER else Tone.WARN
    return Status("Thickness", SOURCE_NAMES[run.thickness_source], tone)


def abort(run: RunMessage) -> Status:
    """Whether an alarm of drift stops the microscope."""
    if run.armed:
        return Status("Abort", "armed", Tone.GOOD, "An alarm of drift stops the microscope.")
    return Status("Abort", "not armed", Tone.PLAIN, "An alarm of drift only tells.")


def ledger(run: RunMessage) -> Status:
    """Whether every file that was seen is accounted for."""
    hint = ", ".join(f"{name} {count}" for name, count in run.ledger.items())
    if run.ledger_balanced:
        return Status("Files", "all accounted for", Tone.PLAIN, hint)
    return Status("Files", "NOT ACCOUNTED FOR", Tone.BAD, hint)
