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

from daemon import admission, other_projects, releasing, restarts
from daemon.admission import Refused
from daemon.assembly import (
    ClockSetBack,
    Disregard,
    Event,
    FileRejected,
    Finish,
    FrameArrived,
    Held,
    Ignored,
    MoveOn,
    OtherProject,
    Outcome,
    Quarantined,
    Refusal,
    Renumbered,
    SliceComplete,
    Tick,
)
from daemon.assembly_state import AssemblyRules, AssemblyState, ChannelRule, Tally
from daemon.config import Configuration
from daemon.folder_habits import habitual_channel
from daemon.placing import Step, noted, placed

_CLOCK_JITTER_S: Final = 60.0
"""Stamps have seconds, and copies come in any order; a clock set back by less harms nobody."""

_COPY_S: Final = 1800.0
"""How much longer an image is waited for while others arrive: of a project that is copied folder by folder,
one folder. A microscope that is as quick as a copy and lost a channel gets its gaps by then."""


def rules_of(configuration: Configuration, expected_slices: int) -> AssemblyRules:
    """The rules of a configuration; ``expected_slices`` as known from it or the project file, 0: unknown."""
    channels = tuple(ChannelRule(c.name, c.voltage_kv, c.detector) for c in configuration.channels)
    return AssemblyRules(channels, expected_slices, configuration.run.missing_after_s)


def initial(rules: AssemblyRules) -> AssemblyState:
    """Nothing has come yet."""
    return AssemblyState(rules)


def resumed(state: AssemblyState, rules: AssemblyRules, now_s: float) -> AssemblyState:
    """A stored state in a new process: its monotonic clock began anew, so waiting begins anew."""
    return replace(_waiting_anew(state, now_s), rules=rules)


def _patient(tick: Tick, now_s: float) -> float:
    """The time by which slices are late, s: a copy's files are waited for longer, but not for ever."""
    if tick.unread:
        return -math.inf
    return now_s - _COPY_S if tick.arriving else now_s


def _waiting_anew(state: AssemblyState, now_s: float) -> AssemblyState:
    """The same as if every slice that is not whole had just been opened."""
    return replace(state, pending=tuple(replace(slice_, opened_s=now_s) for slice_ in state.pending))


def step(state: AssemblyState, event: Event, now_s: float) -> Step:
    """What an event changes, and everything that follows from it, in order."""
    match event:
        case FrameArrived() | FileRejected():
            state, outcomes = _arrival(state, restarts.numbered(state, event), now_s)
            arrived, patient_s = 1, -math.inf
        case Tick():
            state = _waiting_anew(state, now_s) if event.away else state
            outcomes, arrived = (), 0
            patient_s = _patient(event, now_s)
        case MoveOn():
            oldest = state.pending[0].index if state.pending else 0
            state, outcomes = releasing.closed_before(state, oldest + 1)
            arrived, patient_s = 0, -math.inf
        case Finish():
            state, outcomes = restarts.dismissed(state, math.inf)
            arrived, patient_s = 0, -math.inf
    state, released = releasing.released(state, patient_s)
    outcomes += released
    if isinstance(event, Finish):
        state, rest = releasing.closed(state)
        outcomes += rest
    return replace(state, tally=_counted(state.tally, arrived, outcomes)), outcomes


def _counted(tally: Tally, arrived: int, outcomes: Sequence[Outcome]) -> Tally:
    return Tally(
        tally.arrived + arrived,
        tally.processed + sum(len(o.frames) for o in outcomes if isinstance(o, SliceComplete)),
        tally.quarantined + sum(isinstance(o, Quarantined) for o in outcomes),
        tally.ignored + sum(isinstance(o, Ignored) for o in outcomes),
    )


def _arrival(state: AssemblyState, event: FrameArrived | FileRejected, now_s: float) -> Step:
    return _frame(state, event, now_s) if isinstance(event, FrameArrived) else _rejection(state, event)


def _frame(state: AssemblyState, event: FrameArrived, now_s: float) -> Step:
    """An image finds its place, or is held, or is refused, or is none of ours."""
    path, index = event.frame.path, event.frame.slice_index
    verdict = admission.judge(state, event)
    if isinstance(verdict, Disregard):
        return state, (Ignored(path, index, verdict),)
    if admission.is_taken(state, index, verdict) and other_projects.is_intruder(state, path):
        return _intruder(state, event)
    if isinstance(verdict, Refused):
        suspect = restarts.is_suspect(state, event, verdict)
        return _held(state, event, verdict, now_s) if suspect else _refusal(state, event, verdict)
    state, refused = restarts.dismissed(state, event.written_ns)
    state, told = _dated(state, event)
    state, outcomes = placed(state, index, verdict, now_s)
    return state, refused + told + outcomes


def _dated(state: AssemblyState, event: FrameArrived) -> Step:
    """Keep the time of the newest image; a new slice that is older than that is a clock set back."""
    taken_s, index, path = admission.acquired_s(event), event.frame.slice_index, event.frame.path
    back_s = state.newest_s - taken_s
    is_new = index >= (state.next_index or 0) and all(index > slice_.index for slice_ in state.pending)
    if is_new and back_s > _CLOCK_JITTER_S:
        return replace(state, newest_s=taken_s), (ClockSetBack(index, path, back_s),)
    return replace(state, newest_s=max(state.newest_s, taken_s)), ()


def _intruder(state: AssemblyState, event: FrameArrived) -> Step:
    """The first image of another project: told once, with the folder that is passed over from now on."""
    path, index = event.frame.path, event.frame.slice_index
    state, folder = other_projects.with_other_project(state, path)
    detail = f"{folder} holds another project"
    refused = Quarantined(path, index, Refusal.OTHER_PROJECT, detail, told=True)
    return state, (OtherProject(index, folder), refused)


def _held(state: AssemblyState, event: FrameArrived, refused: Refused, now_s: float) -> Step:
    """An image that may begin a restarted acquisition; once that is plain, all that were held are placed."""
    path, index = event.frame.path, event.frame.slice_index
    state, replaced = restarts.with_suspect(state, event, refused)
    outcomes = (*replaced, Held(path, index, refused.detail))
    if not restarts.restarted(state):
        return state, outcomes
    state, more = _restarted(state, now_s)
    return state, outcomes + more


def _restarted(state: AssemblyState, now_s: float) -> Step:
    """Close what the old numbers left open, and give the held images their places behind it."""
    held = sorted(state.suspects, key=lambda image: (image.index, image.record.channel))
    first_index = releasing.next_free(state)
    counted_from = restarts.counted_from(state, held[0].index)
    state, outcomes = releasing.closed_before(state, first_index)
    state = restarts.with_segment(state, first_index)
    outcomes += (Renumbered(first_index, counted_from, Path(held[0].record.path)),)
    for image in held:
        state, more = placed(state, image.index - held[0].index + first_index, image.record, now_s)
        outcomes += more
    return state, outcomes


def _refusal(state: AssemblyState, event: FrameArrived, refused: Refused) -> Step:
    path, index = event.frame.path, event.frame.slice_index
    told = refused.reason is Refusal.OTHER_PROJECT or admission.is_gap(state, index)
    channel = refused.channel if refused.channel >= 0 else habitual_channel(state, path)
    state = noted(state, index, channel, refused.reason, refused.detail)
    return state, (Quarantined(path, index, refused.reason, refused.detail, told),)


def _rejection(state: AssemblyState, event: FileRejected) -> Step:
    index, channel = event.slice_index, habitual_channel(state, event.path)
    told = admission.is_gap(state, index)
    state = noted(state, index, channel, event.reason, event.detail)
    return state, (Quarantined(event.path, index, event.reason, event.detail, told),)
