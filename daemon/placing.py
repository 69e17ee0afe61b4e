"""An image into the slice that it belongs to, and what a refusal leaves behind for its slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from daemon.admission import pending_at
from daemon.assembly import FrameAccepted, Outcome, Quarantined, Refusal
from daemon.assembly_state import AssemblyState, FrameRecord, PendingSlice, RefusedImage
from daemon.folder_habits import habitual_channel, with_habit
from daemon.items import GapReason

Step = tuple[AssemblyState, tuple[Outcome, ...]]

GAP_REASONS: Final = {
    Refusal.WRONG_VOLTAGE: GapReason.WRONG_VOLTAGE,
    Refusal.WRONG_DETECTOR: GapReason.WRONG_VOLTAGE,
    Refusal.WRONG_SIZE: GapReason.WRONG_SIZE,
    Refusal.UNREADABLE: GapReason.UNREADABLE,
    Refusal.NO_METADATA: GapReason.UNREADABLE,
    Refusal.NEVER_FINISHED: GapReason.INCOMPLETE,
}
"""Refusals that may explain why a slice stays incomplete."""


def placed(state: AssemblyState, index: int, record: FrameRecord, now_s: float) -> Step:
    """Put an image into its slice; of two that claim one place, one goes."""
    name, path = state.rules.channels[record.channel].name, Path(record.path)
    slice_ = pending_at(state, index) or PendingSlice(index, (), now_s)
    rival = slice_.frame_of(record.channel)
    if rival is not None and not _outranks(state, record, rival):
        detail = f"slice {index} already has its {name} image: {rival.path}"
        state = _strayed(state, index, record)
        return state, (Quarantined(path, index, Refusal.CONFLICT, detail),)
    state = with_habit(state, record)
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
    return noted(state, index, habit, Refusal.WRONG_VOLTAGE, detail)


def _outranks(state: AssemblyState, record: FrameRecord, rival: FrameRecord) -> bool:
    """A rewritten file replaces itself; a folder's habit settles which of two files is astray."""
    if record.path == rival.path:
        return True
    habits = (habitual_channel(state, Path(record.path)), habitual_channel(state, Path(rival.path)))
    return habits[0] == record.channel and habits[1] != rival.channel


def _with_pending(state: AssemblyState, slice_: PendingSlice) -> AssemblyState:
    others = [other for other in state.pending if other.index != slice_.index]
    return replace(state, pending=tuple(sorted([*others, slice_], key=lambda s: s.index)))


def noted(state: AssemblyState, index: int, channel: int, reason: Refusal, detail: str) -> AssemblyState:
    """Remember a refusal that may explain why a slice stays incomplete."""
    decided = state.next_index is not None and index < state.next_index
    if decided or reason not in GAP_REASONS:
        return state
    return replace(state, refused=(*state.refused, RefusedImage(index, channel, str(reason), detail)))
