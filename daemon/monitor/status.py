"""The status bar in words: what is told of the run, each with its name and how worried one should be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PureWindowsPath

from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import RunMessage
from daemon.monitor.feed import Feed
from daemon.monitor.palette import SOURCE_NAMES
from daemon.monitor.units import UNKNOWN, duration
from daemon.monitor.verdict import CPU_PROVIDER, image_age_s, is_overdue


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
        progress(run),
        time_left(run, image_age_s(feed)),
        last_image(run, image_age_s(feed)),
        abort(run),
        thickness(run),
        compute(run),
        ledger(run),
        project(run),
    ]


def state(feed: Feed) -> Status:
    """What the daemon does, or that nobody knows."""
    run = feed.view.run
    if run is None:
        return Status("State", "waiting for a daemon", Tone.WARN, feed.trouble)
    if feed.stale and not feed.finished:
        return Status("State", "daemon gone", Tone.BAD, feed.trouble)
    return ENDS[run.finish_reason] if run.finish_reason else STATES.get(run.state, Status("State", run.state))


def notice(feed: Feed) -> str:
    """The line across the page when what it shows is not the present; empty when it is."""
    if feed.finished or not feed.stale:
        return ""
    if feed.view.run is None:
        return feed.trouble or f"No daemon answers at {feed.control} yet. The page fills when one does."
    return (
        f"No word from the daemon since {feed.last_word}, for {duration(feed.silent_s)}: everything below is "
        f"old. {feed.trouble or 'Check that slicewatch still runs beside the microscope.'}"
    )


def progress(run: RunMessage) -> Status:
    """Slices done, of how many, and how many are missing."""
    of = f" of {run.slices_expected}" if run.slices_expected else ""
    gaps = f", {run.gaps} gap{'s' * (run.gaps != 1)}" if run.gaps else ""
    return Status("Slice", f"{run.slices_done}{of}{gaps}", Tone.WARN if run.gaps else Tone.PLAIN)


def share_done(run: RunMessage) -> float:
    """Decided slices over expected ones, 0…1; NaN when nobody knows how many are to come."""
    if not run.slices_expected:
        return math.nan
    return min(1.0, (run.slices_done + run.gaps) / run.slices_expected)


def time_left(run: RunMessage, age_s: float) -> Status:
    """Until the last expected slice, at the run's own pace."""
    left = run.slices_expected - run.slices_done - run.gaps
    if run.state is RunState.FINISHED or left < 0:
        return Status("Time left", "none" if run.state is RunState.FINISHED else UNKNOWN)
    waited_s = min(age_s, run.usual_interval_s) if math.isfinite(age_s) else 0.0
    seconds = left * run.usual_interval_s - waited_s if run.slices_expected else math.nan
    return Status("Time left", duration(seconds), hint=f"{left} slices to come")


def last_image(run: RunMessage, age_s: float) -> Status:
    """How long ago the microscope wrote an image, against its usual interval."""
    usual = f", usual {duration(run.usual_interval_s)}" if math.isfinite(run.usual_interval_s) else ""
    value = f"{duration(age_s)} ago{usual}" if math.isfinite(age_s) else UNKNOWN
    tone = Tone.BAD if is_overdue(run, age_s) else Tone.PLAIN
    return Status("Last image", value, tone, "against the usual time between two slices")


def compute(run: RunMessage) -> Status:
    """Where the network really runs; a fall-back to the processor is said aloud."""
    hint = f"{run.model}: {run.provider}, wanted {run.provider_wanted}"
    if run.provider == CPU_PROVIDER and run.provider_wanted not in ("", CPU_PROVIDER):
        return Status("Network on", f"{run.device}, no GPU", Tone.WARN, hint)
    return Status("Network on", run.device or UNKNOWN, Tone.PLAIN, hint)


def project(run: RunMessage) -> Status:
    """The acquisition by the last part of its path, whichever system's path it is."""
    name = PureWindowsPath(run.project).name  # understands both separators
    return Status("Project", name or UNKNOWN, Tone.PLAIN, run.project)


def thickness(run: RunMessage) -> Status:
    """Where thickness comes from; an assumed one is no measurement and must not look like one."""
    if run.slices_done == 0:
        return Status("Thickness from", UNKNOWN)
    if run.thickness_source is ThicknessSource.TARGET:
        value = f"ASSUMED {run.target_thickness_nm:g} nm"
        return Status("Thickness from", value, Tone.WARN, "No ruler is configured: nothing measures.")
    tone = Tone.PLAIN if run.thickness_source is ThicknessSource.RULER else Tone.WARN
    return Status("Thickness from", SOURCE_NAMES[run.thickness_source], tone)


def abort(run: RunMessage) -> Status:
    """Whether an alarm of drift stops the microscope."""
    if run.armed:
        by = f" by {run.armed_by}" if run.armed_by else ""
        return Status("Abort", f"ARMED{by}", Tone.GOOD, "Sustained drift stops the microscope.")
    return Status("Abort", "not armed", Tone.PLAIN, "An alarm of drift only tells.")


def ledger(run: RunMessage) -> Status:
    """Whether every file that was seen is accounted for."""
    hint = ", ".join(f"{name} {count}" for name, count in run.ledger.items())
    if run.ledger_balanced:
        return Status("Files", "all accounted for", Tone.PLAIN, hint)
    return Status("Files", "NOT ACCOUNTED FOR", Tone.BAD, hint)
