"""Slices and gaps leave in index order: what is whole is released, what will not become whole is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from daemon import patience
from daemon.admission import content_digest, path_digest, pending_at
from daemon.assembly import Outcome, Quarantined, Refusal, SliceComplete
from daemon.assembly_state import AssemblyState, FrameRecord, PendingSlice
from daemon.items import GapReason, SliceGap
from daemon.placing import GAP_REASONS, Step, noted

_KEPT_INTERVALS: Final = 21


def released(state: AssemblyState, now_s: float) -> Step:
    """Everything whose turn has come, until a slice has to wait; ``now_s`` -inf: nobody is late."""
    outcomes: tuple[Outcome, ...] = ()
    while True:
        index = _turn(state)
        if index is None:
            return state, outcomes
        slice_ = pending_at(state, index)
        whole = slice_ is not None and len(slice_.frames) == len(state.rules.channels)
        if not whole and not patience.exhausted(state, index, now_s):
            return state, outcomes
        state, more = _decided(state, index)
        outcomes += more


def closed(state: AssemblyState) -> Step:
    """No more files will come: what is not whole becomes a gap, up to the last slice of the run."""
    outcomes: tuple[Outcome, ...] = ()
    while (index := _turn(state)) is not None and not _only_strays(state, index):
        state, more = _decided(state, index)
        outcomes += more
    strays = tuple(
        Quarantined(Path(frame.path), slice_.index, Refusal.UNEXPECTED_INDEX, "far beyond the end of the run")
        for slice_ in state.pending
        for frame in slice_.frames
    )
    return replace(state, pending=()), outcomes + strays


def next_free(state: AssemblyState) -> int:
    """The first index behind everything that has come, strays far ahead left out."""
    begun = state.next_index or 0
    near = [s.index for s in state.pending if s.index <= begun + state.rules.later_slices]
    return max(begun, *(index + 1 for index in near), 0)


def closed_before(state: AssemblyState, index: int) -> Step:
    """Decide every index below ``index``: nothing more will come for it."""
    outcomes: tuple[Outcome, ...] = ()
    while (at := _turn(state)) is not None and at < index:
        state, more = _decided(state, at)
        outcomes += more
    return state, outcomes


def _decided(state: AssemblyState, index: int) -> Step:
    """Release an index if it is whole, else close it as a gap."""
    slice_ = pending_at(state, index)
    whole = slice_ is not None and len(slice_.frames) == len(state.rules.channels)
    return _whole(state, slice_) if slice_ and whole else _gap(state, index)


def _only_strays(state: AssemblyState, index: int) -> bool:
    """Whether nothing is left but partial slices far ahead: they do not make a gap of everything between."""
    channels = len(state.rules.channels)
    near = index + state.rules.later_slices
    return all(len(slice_.frames) < channels and slice_.index > near for slice_ in state.pending)


def _turn(state: AssemblyState) -> int | None:
    """The index to be decided next; before the first release, the lowest that was seen.

    A refused image was seen, too: a run whose first slice is lost begins with a gap. One far before the first
    good image is not believed to begin the run.
    """
    if state.next_index is not None:
        return None if state.over else state.next_index
    begun = [slice_.index for slice_ in state.pending]
    least = min(begun, default=0) - state.rules.later_slices
    begun += [refused.index for refused in state.refused if refused.index >= max(least, 0)]
    return min(begun, default=None)


def _whole(state: AssemblyState, slice_: PendingSlice) -> Step:
    """All channels are there: release them, unless they differ in size."""
    sizes = {(frame.height, frame.width) for frame in slice_.frames}
    if len(sizes) > 1:
        detail = " and ".join(f"{height} × {width}" for height, width in sorted(sizes)) + " px in one slice"
        state = noted(state, slice_.index, -1, Refusal.WRONG_SIZE, detail)
        return _gap(state, slice_.index)
    state = replace(_with_interval(state, slice_.frames), shape=next(iter(sizes)))
    return _settled(state, slice_.index, slice_.frames), (SliceComplete(slice_.index, slice_.frames),)


def _with_interval(state: AssemblyState, frames: Sequence[FrameRecord]) -> AssemblyState:
    """The run's rhythm, with the time since the slice before; one that lacks an image tells it as well."""
    first = min(frame.written_ns for frame in frames)
    elapsed_s = (first - state.slice_written_ns) * 1e-9
    intervals = state.intervals_s
    if state.slice_written_ns and elapsed_s >= 0.0:
        intervals = (*intervals, elapsed_s)[-_KEPT_INTERVALS:]
    return replace(state, intervals_s=intervals, slice_written_ns=first)


def _gap(state: AssemblyState, index: int) -> Step:
    """Close an index without a slice; images that had come for it are quarantined."""
    slice_ = pending_at(state, index)
    frames = slice_.frames if slice_ else ()
    lacking = set(range(len(state.rules.channels))) - {frame.channel for frame in frames}
    blamed = [r for r in state.refused if r.index == index and (r.channel < 0 or r.channel in lacking)]
    if blamed:
        reason, detail = GAP_REASONS[Refusal(blamed[0].reason)], blamed[0].detail
        if str(reason) != blamed[0].reason:
            detail = f"{blamed[0].reason}: {detail}"
    else:
        reason = GapReason.INCOMPLETE if frames else GapReason.MISSING
        detail = f"no image for {', '.join(state.rules.channels[i].name for i in sorted(lacking))}"
    orphans = tuple(
        Quarantined(Path(frame.path), index, Refusal.PARTIAL_SLICE, f"slice {index} is a gap: {detail}", True)
        for frame in frames
    )
    state = _with_interval(state, frames) if frames else state
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
