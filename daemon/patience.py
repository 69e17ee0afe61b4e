"""When to stop waiting for an image: it was refused, the run has moved on, or its rhythm says so."""

from __future__ import annotations

import statistics
from typing import Final

from daemon.admission import pending_at
from daemon.assembly_state import AssemblyState
from daemon.back_pressure import is_full

_FEWEST_INTERVALS: Final = 3
_UNKNOWN_RHYTHM_S: Final = 1800.0
_PATIENCE: Final = {"overtaken": (1.0, 5.0), "last": (3.0, 10.0), "paused": (20.0, 10.0)}
"""(slice intervals, least seconds) to wait. Overtaken: a later slice has begun, only copying can lag. Last:
the last expected slice lacks an image. Paused: nothing newer came; an operator may have paused the run."""


def exhausted(state: AssemblyState, index: int, now_s: float) -> bool:
    """Whether slice ``index``, which is not whole, is to be given up; ``now_s`` -inf: nobody is late."""
    known = _answered(state, index) or _refused_altogether(state, index)
    return known or _overtaken(state, index) or _overdue(state, index, now_s)


def _answered(state: AssemblyState, index: int) -> bool:
    """Every channel has either come or is known to have been refused: waiting is pointless."""
    slice_ = pending_at(state, index)
    come = {frame.channel for frame in slice_.frames} if slice_ else set[int]()
    refused = {refused.channel for refused in state.refused if refused.index == index}
    return set(range(len(state.rules.channels))) <= come | refused


def _refused_altogether(state: AssemblyState, index: int) -> bool:
    """As many files were refused as there are channels, of whichever, and the run has moved on."""
    here = sum(refused.index == index for refused in state.refused)
    later = [slice_.index for slice_ in state.pending] + [refused.index for refused in state.refused]
    nothing = pending_at(state, index) is None
    return nothing and here >= len(state.rules.channels) and max(later, default=index) > index


def _overtaken(state: AssemblyState, index: int) -> bool:
    """Enough later slices are whole to prove that the microscope will not come back to this one."""
    channels = len(state.rules.channels)
    later = sum(len(slice_.frames) == channels for slice_ in state.pending if slice_.index > index)
    return later >= state.rules.later_slices


def _overdue(state: AssemblyState, index: int, now_s: float) -> bool:
    """Only slices close ahead count as evidence: a stray file of another project must not close the run.

    As many as may wait at all are no strays: the numbers jumped.
    """
    near = [s.opened_s for s in state.pending if index < s.index <= index + state.rules.later_slices]
    if not near and is_full(state):
        near = [s.opened_s for s in state.pending if s.index > index]
    slice_ = pending_at(state, index)
    if not near and slice_ is None:
        return False
    since_s = min(near) if near else slice_.opened_s if slice_ else now_s
    return now_s - since_s > _patience_s(state, index, overtaken=bool(near))


def _patience_s(state: AssemblyState, index: int, *, overtaken: bool) -> float:
    """How long an image may be missing, s: as configured, or by the run's own rhythm (median interval)."""
    if state.rules.missing_after_s:
        return state.rules.missing_after_s
    if len(state.intervals_s) < _FEWEST_INTERVALS:
        return _UNKNOWN_RHYTHM_S
    situation = "overtaken" if overtaken else "last" if index == state.last_index else "paused"
    intervals, least_s = _PATIENCE[situation]
    return max(least_s, intervals * statistics.median(state.intervals_s))
