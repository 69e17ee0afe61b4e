"""Fills the planes between repositioned slices online: planes become final in order, with a bounded look-
ahead, a few at a time.

The planes between two slices are final as soon as the filling has all the slices it looks at, that is
``interpolation.after - 1`` slices after the lower one. Until then :func:`provisional` shows them as they
would be if the run ended now. Batch and stream are the same code, so they agree bit for bit. All planes are
computed when they are asked for: an interval in which many slices are lost never lies in memory as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algorithms.slice_filling import Interpolation

Labels = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Planes:
    """Consecutive planes of the isotropic volume: ``labels`` ``(k, y, x)`` uint8 from plane ``first`` on.

    ``measured`` ``(k,)``: the plane is a slice, not an interpolation. ``bridged`` ``(k,)``: the plane lies
    between slices further apart than the state's limit; whether to trust it is the caller's decision.
    """

    first: int
    labels: Labels
    measured: Flags
    bridged: Flags


@dataclass(frozen=True, slots=True)
class InterpolationState:
    """``slices`` at ``positions`` are those still looked at; planes before ``next_plane`` are final."""

    longest_bridge_planes: int
    next_plane: int = 0
    positions: tuple[int, ...] = ()
    slices: tuple[Labels, ...] = ()


def start_interpolation(longest_bridge_planes: int) -> InterpolationState:
    """A volume without slices. Slices more than ``longest_bridge_planes`` apart are marked as bridged."""
    if longest_bridge_planes < 1:
        raise ValueError(f"interpolation: longest bridge {longest_bridge_planes} planes; give at least 1")
    return InterpolationState(longest_bridge_planes)


def add_slice(
    interpolation: Interpolation, state: InterpolationState, z_plane: int, labels: Labels
) -> tuple[InterpolationState, Iterator[Planes]]:
    """The state with one more slice ``(y, x)`` at ``z_plane``, and the planes that became final by it.

    The planes come in groups of consecutive ones, in order.

    Raises ValueError if the slice does not lie behind the last one or differs from it in shape.
    """
    _check_slice(state, z_plane, labels)
    first = state.next_plane if state.positions else z_plane
    grown = replace(
        state,
        next_plane=first,
        positions=(*state.positions, z_plane),
        slices=(*state.slices, labels),
    )
    settled = max(0, len(grown.positions) - interpolation.after)
    return _forget(interpolation, grown, settled), _planes_up_to(interpolation, grown, settled)


def provisional(interpolation: Interpolation, state: InterpolationState) -> Iterator[Planes]:
    """The planes up to the last slice that are not final yet, from the slices there are."""
    return _planes_up_to(interpolation, state, len(state.positions) - 1)


def finish(
    interpolation: Interpolation, state: InterpolationState
) -> tuple[InterpolationState, Iterator[Planes]]:
    """The remaining planes at the end of a run: no slice will follow, so what was provisional is final.

    The state is that of a finished run, which has no more planes to give.
    """
    end = state.positions[-1] + 1 if state.positions else state.next_plane
    return replace(state, next_plane=end), provisional(interpolation, state)


def _check_slice(state: InterpolationState, z_plane: int, labels: Labels) -> None:
    if state.positions and z_plane <= state.positions[-1]:
        raise ValueError(f"interpolation: plane {z_plane} after {state.positions[-1]}; add slices in order")
    if state.slices and labels.shape != state.slices[-1].shape:
        raise ValueError(f"interpolation: slice {labels.shape} px, expected {state.slices[-1].shape} px")


def _planes_up_to(interpolation: Interpolation, state: InterpolationState, last: int) -> Iterator[Planes]:
    """Planes from the first that is not final up to and including slice number ``last`` of those kept."""
    for lower, position in enumerate(state.positions[: last + 1]):
        if position >= state.next_plane:
            yield from _interval(interpolation, state, lower) if lower else (_first(state),)


def _first(state: InterpolationState) -> Planes:
    one = np.ones(1, dtype=np.bool_)
    return Planes(state.positions[0], state.slices[0][None], one, ~one)


def _interval(interpolation: Interpolation, state: InterpolationState, lower: int) -> Iterator[Planes]:
    """The planes between slices ``lower - 1`` and ``lower``; the last group ends with slice ``lower``."""
    top, bottom = state.positions[lower - 1], state.positions[lower]
    is_bridged = bottom - top > state.longest_bridge_planes
    first, held = top + 1, state.slices[lower][None][:0]
    for filled in _filled(interpolation, state, lower):
        if len(held):
            none = np.zeros(len(held), dtype=np.bool_)
            yield Planes(first, held, none, none | is_bridged)
        first, held = first + len(held), filled
    measured = np.arange(len(held) + 1) == len(held)
    yield Planes(first, np.concatenate((held, state.slices[lower][None])), measured, ~measured & is_bridged)


def _filled(interpolation: Interpolation, state: InterpolationState, lower: int) -> Iterator[Labels]:
    """The labels between slices ``lower - 1`` and ``lower``, a few planes at a time."""
    planes = np.arange(state.positions[lower - 1] + 1, state.positions[lower], dtype=np.int64)
    if not planes.size:
        return
    around = slice(max(0, lower - interpolation.before), lower + interpolation.after)
    positions = np.asarray(state.positions[around], dtype=np.int64)
    yield from interpolation.fill(positions, np.stack(state.slices[around]), planes)


def _forget(interpolation: Interpolation, state: InterpolationState, settled: int) -> InterpolationState:
    """The state after handing out the planes up to slice number ``settled``, less the slices that no coming
    interval looks at."""
    next_plane = max(state.next_plane, state.positions[settled] + 1)
    last_final = sum(position < next_plane for position in state.positions) - 1
    oldest = max(0, last_final - interpolation.before + 1)
    return replace(
        state,
        next_plane=next_plane,
        positions=state.positions[oldest:],
        slices=state.slices[oldest:],
    )
