"""A restarted acquisition counts again: from then on its numbers are those of a new segment of the run.

An image that was taken after everything else and whose place is taken is held until the next ones tell why:
another slice follows it (a restart), or the old numbers go on (one image was taken again).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from daemon.admission import Refused, acquired_s, is_gap
from daemon.assembly import FileRejected, FrameArrived, Outcome, Quarantined, Refusal
from daemon.assembly_state import AssemblyState, FrameRecord, HeldImage, Segment
from daemon.folder_habits import has_delivered

_AGAIN: Final = (Refusal.OVERWRITTEN, Refusal.CONFLICT, Refusal.LATE)
_FEWEST_SLICES: Final = 2
"""Slices taken again before a restart is believed: one may be a single image taken again."""


def numbered(state: AssemblyState, event: FrameArrived | FileRejected) -> FrameArrived | FileRejected:
    """The event with the slice's index in the run in place of the number in its file's name."""
    if not state.segments:
        return event
    if isinstance(event, FileRejected):
        if event.slice_index < 0:
            return event
        behind = event.written_ns < state.segments[-1].written_ns
        return replace(event, slice_index=event.slice_index + _shifts(state)[0 if behind else 1])
    number, (old, new) = event.frame.slice_index, _shifts(state)
    # Only a slice that was left open can still get an image of the old numbers. To ask for that, too, keeps
    # a microscope's clock that is set back later from turning the new numbers into old ones.
    behind = acquired_s(event) < state.segments[-1].taken_s and is_gap(state, number + old)
    return replace(event, frame=replace(event.frame, slice_index=number + (old if behind else new)))


def counted_from(state: AssemblyState, first_index: int) -> int:
    """The number in the names of the files of a slice, in the newest segment."""
    return first_index - _shifts(state)[1]


def is_suspect(state: AssemblyState, event: FrameArrived, refused: Refused) -> bool:
    """Whether a refused image may be the beginning of a restarted acquisition."""
    newest = acquired_s(event) > state.newest_s
    return refused.reason in _AGAIN and newest and has_delivered(state, event.frame.path)


def with_suspect(
    state: AssemblyState, event: FrameArrived, refused: Refused
) -> tuple[AssemblyState, tuple[Outcome, ...]]:
    """Hold an image; one that was held for the same place is replaced by it."""
    frame, (height, width) = event.frame, event.frame.image.shape
    record = FrameRecord(str(frame.path), frame.sha256, refused.channel, height, width, event.written_ns)
    place = (frame.slice_index, refused.channel)
    rivals = [held for held in state.suspects if (held.index, held.record.channel) == place]
    held = HeldImage(frame.slice_index, record, acquired_s(event), str(refused.reason), refused.detail)
    suspects = (*(other for other in state.suspects if other not in rivals), held)
    replaced = f"replaced by {frame.path}"
    return replace(state, suspects=suspects), tuple(
        Quarantined(Path(rival.record.path), rival.index, Refusal.SUPERSEDED, replaced) for rival in rivals
    )


def restarted(state: AssemblyState) -> bool:
    """Whether the held images count again: consecutive slices, taken in rising order."""
    indices = [held.index for held in sorted(state.suspects, key=lambda held: held.taken_s)]
    distinct = sorted(set(indices))
    consecutive = bool(distinct) and distinct == list(range(distinct[0], distinct[-1] + 1))
    return len(distinct) >= _FEWEST_SLICES and consecutive and indices == sorted(indices)


def with_segment(state: AssemblyState, first_index: int) -> AssemblyState:
    """The held images begin a segment with slice ``first_index`` of the run."""
    taken_s = min(held.taken_s for held in state.suspects)
    written_ns = min(held.record.written_ns for held in state.suspects)
    shift = first_index - min(held.index for held in state.suspects) + _shifts(state)[1]
    newest_s = max(held.taken_s for held in state.suspects)
    segments = (*state.segments, Segment(shift, taken_s, written_ns))
    return replace(state, segments=segments, suspects=(), newest_s=newest_s)


def dismissed(state: AssemblyState, before_ns: float) -> tuple[AssemblyState, tuple[Outcome, ...]]:
    """Refuse what is held and was written before a moment: the old numbers have gone on."""
    refused = tuple(
        Quarantined(
            Path(held.record.path), held.index, Refusal(held.reason), held.detail, is_gap(state, held.index)
        )
        for held in state.suspects
        if held.record.written_ns < before_ns
    )
    kept = tuple(held for held in state.suspects if held.record.written_ns >= before_ns)
    return replace(state, suspects=kept), refused


def _shifts(state: AssemblyState) -> tuple[int, int]:
    """The shifts of the segment before and of the newest."""
    shifts = (0, 0, *(segment.shift for segment in state.segments))
    return shifts[-2], shifts[-1]
