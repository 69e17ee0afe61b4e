"""Images become slices: a pure state machine that releases slices and gaps strictly in index order.

``step(state, event, now_s)`` is the whole of it; ``now_s`` is a monotonic clock. Every file that enters ends
in exactly one ``SliceComplete``, ``Quarantined`` or ``Ignored``, and ``state.tally`` counts them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from daemon import admission, patience
from daemon.admission import Refused, content_digest, habitual_channel, path_digest, pending_at
from daemon.assembly import (
    AssemblyRules,
    AssemblyState,
    ChannelRule,
    ClockSetBack,
    Disregard,
    Event,
    FileRejected,
    FrameAccepted,
    FrameArrived,
    FrameRecord,
    Ignored,
    Outcome,
    PendingSlice,
    Quarantined,
    Refusal,
    RefusedImage,
    Renumbered,
    SliceComplete,
    Tally,
    Tick,
)
from daemon.config import Configuration
from daemon.items import GapReason, SliceGap

Step = tuple[AssemblyState, tuple[Outcome, ...]]

_KEPT_INTERVALS: Final = 21
_CLOCK_JITTER_S: Final = 60.0
"""Stamps have seconds, and copies come in any order; a clock set back by less harms nobody."""
_GAP_REASONS: Final = {
    Refusal.WRONG_VOLTAGE: GapReason.WRONG_VOLTAGE,
    Refusal.WRONG_DETECTOR: GapReason.WRONG_VOLTAGE,
    Refusal.WRONG_SIZE: GapReason.WRONG_SIZE,
    Refusal.UNREADABLE: GapReason.UNREADABLE,
    Refusal.NO_METADATA: GapReason.UNREADABLE,
    Refusal.NEVER_FINISHED: GapReason.INCOMPLETE,
}


def rules_of(configuration: Configuration, expected_slices: int) -> AssemblyRules:
    """The rules of a configuration; ``expected_slices`` as known from it or the project file, 0: unknown."""
    channels = tuple(ChannelRule(c.name, c.voltage_kv, c.detector) for c in configuration.channels)
    return AssemblyRules(channels, expected_slices, configuration.run.missing_after_s)


def initial(rules: AssemblyRules) -> AssemblyState:
    """Nothing has come yet."""
    return AssemblyState(rules)


def resumed(state: AssemblyState, rules: AssemblyRules, now_s: float) -> AssemblyState:
    """A stored state in a new process: its monotonic clock began anew, so waiting begins anew."""
    pending = tuple(replace(slice_, opened_s=now_s) for slice_ in state.pending)
    return replace(state, rules=rules, pending=pending)


def step(state: AssemblyState, event: Event, now_s: float) -> Step:
    """What an event changes, and everything that follows from it, in order."""
    if isinstance(event, FrameArrived):
        state, first = _frame(state, event, now_s)
    elif isinstance(event, FileRejected):
        state, first = _rejection(state, event)
    else:
        first = ()
    if isinstance(event, Tick):
        state, released = _released(state, now_s if event.unread == 0 else -math.inf)
    else:
        state, released = _released(state, -math.inf)
    if not isinstance(event, FrameArrived | FileRejected | Tick):
        state, rest = _closed(state)
        released += rest
    arrived = int(isinstance(event, FrameArrived | FileRejected))
    return replace(state, tally=_counted(state.tally, arrived, first + released)), first + released


def _counted(tally: Tally, arrived: int, outcomes: Sequence[Outcome]) -> Tally:
    return Tally(
        tally.arrived + arrived,
        tally.processed + sum(len(o.frames) for o in outcomes if isinstance(o, SliceComplete)),
        tally.quarantined + sum(isinstance(o, Quarantined) for o in outcomes),
        tally.ignored + sum(isinstance(o, Ignored) for o in outcomes),
    )


def _frame(state: AssemblyState, event: FrameArrived, now_s: float) -> Step:
    """An image finds its place, or is refused, or is none of ours."""
    path, index = event.frame.path, event.frame.slice_index
    verdict = admission.judge(state, event)
    if isinstance(verdict, Disregard):
        return state, (Ignored(path, index, verdict),)
    if isinstance(verdict, Refused):
        return _refusal(state, event, verdict)
    state, told = _dated(replace(state, suspects=()), event)
    state, outcomes = _placed(state, index, verdict, now_s)
    return state, told + outcomes


def _dated(state: AssemblyState, event: FrameArrived) -> Step:
    """Keep the time of the newest image; a new slice that is older than that is a clock set back."""
    taken_s, index, path = admission.acquired_s(event), event.frame.slice_index, event.frame.path
    back_s = state.newest_s - taken_s
    is_new = index >= (state.next_index or 0) and all(index > slice_.index for slice_ in state.pending)
    if is_new and back_s > _CLOCK_JITTER_S:
        return replace(state, newest_s=taken_s), (ClockSetBack(index, path, back_s),)
    return replace(state, newest_s=max(state.newest_s, taken_s)), ()


def _refusal(state: AssemblyState, event: FrameArrived, refused: Refused) -> Step:
    path, index = event.frame.path, event.frame.slice_index
    before = admission.restarted(state)
    state = admission.with_suspicion(state, event, refused)
    told = refused.reason is Refusal.RENUMBERED or admission.is_gap(state, index)
    outcomes: tuple[Outcome, ...] = (Quarantined(path, index, refused.reason, refused.detail, told),)
    if admission.restarted(state) and not before:
        outcomes += (Renumbered(state.suspects[0], path),)
    channel = refused.channel if refused.channel >= 0 else habitual_channel(state, path)
    return _noted(state, index, channel, refused.reason, refused.detail), outcomes


def _rejection(state: AssemblyState, event: FileRejected) -> Step:
    index, channel = event.slice_index, habitual_channel(state, event.path)
    told = admission.is_gap(state, index)
    state = _noted(state, index, channel, event.reason, event.detail)
    return state, (Quarantined(event.path, index, event.reason, event.detail, told),)


def _noted(state: AssemblyState, index: int, channel: int, reason: Refusal, detail: str) -> AssemblyState:
    """Remember a refusal that may explain why a slice stays incomplete."""
    decided = state.next_index is not None and index < state.next_index
    if decided or reason not in _GAP_REASONS:
        return state
    return replace(state, refused=(*state.refused, RefusedImage(index, channel, str(reason), detail)))


def _placed(state: AssemblyState, index: int, record: FrameRecord, now_s: float) -> Step:
    """Put an image into its slice; of two that claim one place, one goes."""
    name, path = state.rules.channels[record.channel].name, Path(record.path)
    slice_ = pending_at(state, index) or PendingSlice(index, (), now_s)
    rival = slice_.frame_of(record.channel)
    if rival is not None and not _outranks(state, record, rival):
        detail = f"slice {index} already has its {name} image: {rival.path}"
        state = _strayed(state, index, record)
        return state, (Quarantined(path, index, Refusal.CONFLICT, detail),)
    state = admission.with_habit(state, record)
    others = tuple(frame for frame in slice_.frames if frame is not rival)
    slice_ = replace(slice_, frames=tuple(sorted((*others, record), key=lambda f: f.channel)))
    accepted = FrameAccepted(index, name, path, record.sha256, rival.sha256 if rival else "")
    state = _with_pending(state, slice_)
    if rival is None:
        return state, (accepted,)
    if rival.path != record.path:
        state = _strayed(state, index, rival)
    superseded = Quarantined(Path(rival.path), index, Refusal.SUPERSEDED, f"replaced by {record.path}")
    return state, (superseded, accepted)


def _strayed(state: AssemblyState, index: int, record: FrameRecord) -> AssemblyState:
    """An image that another has kept out: in the folder of another channel it is that one's, gone wrong."""
    habit = habitual_channel(state, Path(record.path))
    if habit in (record.channel, -1):
        return state
    detail = (
        f"{state.rules.channels[record.channel].name} in the folder of {state.rules.channels[habit].name}"
    )
    return _noted(state, index, habit, Refusal.WRONG_VOLTAGE, detail)


def _outranks(state: AssemblyState, record: FrameRecord, rival: FrameRecord) -> bool:
    """A rewritten file replaces itself; a folder's habit settles which of two files is astray."""
    if record.path == rival.path:
        return True
    habits = (habitual_channel(state, Path(record.path)), habitual_channel(state, Path(rival.path)))
    return habits[0] == record.channel and habits[1] != rival.channel


def _with_pending(state: AssemblyState, slice_: PendingSlice) -> AssemblyState:
    others = [other for other in state.pending if other.index != slice_.index]
    return replace(state, pending=tuple(sorted([*others, slice_], key=lambda s: s.index)))


def _released(state: AssemblyState, now_s: float) -> Step:
    """Everything whose turn has come, until a slice has to wait; ``now_s`` -inf: nobody is late."""
    outcomes: tuple[Outcome, ...] = ()
    while True:
        index = _turn(state)
        if index is None:
            return state, outcomes
        slice_ = pending_at(state, index)
        if slice_ and len(slice_.frames) == len(state.rules.channels):
            state, more = _whole(state, slice_)
        elif patience.exhausted(state, index, now_s):
            state, more = _gap(state, index)
        else:
            return state, outcomes
        outcomes += more


def _closed(state: AssemblyState) -> Step:
    """No more files will come: what is not whole becomes a gap, up to the last slice of the run."""
    outcomes: tuple[Outcome, ...] = ()
    while (index := _turn(state)) is not None and not _only_strays(state, index):
        slice_ = pending_at(state, index)
        whole = slice_ is not None and len(slice_.frames) == len(state.rules.channels)
        state, more = _whole(state, slice_) if slice_ and whole else _gap(state, index)
        outcomes += more
    strays = tuple(
        Quarantined(Path(frame.path), slice_.index, Refusal.UNEXPECTED_INDEX, "far beyond the end of the run")
        for slice_ in state.pending
        for frame in slice_.frames
    )
    return replace(state, pending=()), outcomes + strays


def _only_strays(state: AssemblyState, index: int) -> bool:
    """Whether nothing is left but partial slices far ahead: they do not make a gap of everything between."""
    channels = len(state.rules.channels)
    near = index + state.rules.later_slices
    return all(len(slice_.frames) < channels and slice_.index > near for slice_ in state.pending)


def _turn(state: AssemblyState) -> int | None:
    """The index to be decided next; before the first release, the lowest that was seen."""
    if state.next_index is not None:
        return None if state.over else state.next_index
    return state.pending[0].index if state.pending else None


def _whole(state: AssemblyState, slice_: PendingSlice) -> Step:
    """All channels are there: release them, unless they differ in size."""
    sizes = {(frame.height, frame.width) for frame in slice_.frames}
    if len(sizes) > 1:
        detail = " and ".join(f"{height} × {width}" for height, width in sorted(sizes)) + " px in one slice"
        noted = _noted(state, slice_.index, -1, Refusal.WRONG_SIZE, detail)
        return _gap(noted, slice_.index)
    first = min(frame.written_ns for frame in slice_.frames)
    elapsed_s = (first - state.slice_written_ns) * 1e-9
    intervals = state.intervals_s
    if state.slice_written_ns and elapsed_s >= 0.0:
        intervals = (*intervals, elapsed_s)[-_KEPT_INTERVALS:]
    state = replace(state, shape=next(iter(sizes)), intervals_s=intervals, slice_written_ns=first)
    return _settled(state, slice_.index, slice_.frames), (SliceComplete(slice_.index, slice_.frames),)


def _gap(state: AssemblyState, index: int) -> Step:
    """Close an index without a slice; images that had come for it are quarantined."""
    slice_ = pending_at(state, index)
    frames = slice_.frames if slice_ else ()
    lacking = set(range(len(state.rules.channels))) - {frame.channel for frame in frames}
    blamed = [r for r in state.refused if r.index == index and (r.channel < 0 or r.channel in lacking)]
    if blamed:
        reason, detail = _GAP_REASONS[Refusal(blamed[0].reason)], f"{blamed[0].reason}: {blamed[0].detail}"
    else:
        reason = GapReason.INCOMPLETE if frames else GapReason.MISSING
        detail = f"no image for {', '.join(state.rules.channels[i].name for i in sorted(lacking))}"
    orphans = tuple(
        Quarantined(Path(frame.path), index, Refusal.PARTIAL_SLICE, f"slice {index} is a gap: {detail}", True)
        for frame in frames
    )
    return _settled(state, index, ()), (*orphans, SliceGap(index, reason, detail, bool(blamed)))


def _settled(state: AssemblyState, index: int, frames: Sequence[FrameRecord]) -> AssemblyState:
    """The index is decided for good; only digests of it are kept."""
    contents, paths = [0] * len(state.rules.channels), [0] * len(state.rules.channels)
    for frame in frames:
        contents[frame.channel] = content_digest(frame.sha256)
        paths[frame.channel] = path_digest(frame.path)
    return replace(
        state,
        first_index=index if state.first_index is None else state.first_index,
        next_index=index + 1,
        pending=tuple(slice_ for slice_ in state.pending if slice_.index > index),
        refused=tuple(refused for refused in state.refused if refused.index > index),
        settled=(*state.settled, *contents),
        settled_paths=(*state.settled_paths, *paths),
    )
