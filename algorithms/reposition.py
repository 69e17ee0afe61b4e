"""Puts measured slices onto the isotropic grid, online and without ever reordering or losing one.

The rule (SCIENCE §4; Sardhara et al., slice thickness, section 2.2.2): slice i belongs at
``round(depth_i / grid)``; where that position is taken, or lies before the previous slice, the slice takes
the nearest position that is still free behind it. "Behind it" because a plane that was handed on is final:
an earlier slice is never moved to make room for a later one. The position of a slice therefore depends on
the slices before it alone, and the online rule *is* the batch rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite


@dataclass(frozen=True, slots=True)
class RepositionState:
    """Grid spacing in nm and the last occupied plane; -1 while no slice has been placed."""

    grid_nm: float
    last_plane: int = -1


def start_reposition(grid_nm: float) -> RepositionState:
    """An empty grid of planes ``grid_nm`` apart; plane 0 is depth 0.

    Raises ValueError unless the spacing is a positive finite number.
    """
    if not (isfinite(grid_nm) and grid_nm > 0.0):
        raise ValueError(f"reposition: the grid spacing is {grid_nm} nm; give a positive number")
    return RepositionState(grid_nm)


def place(state: RepositionState, depth_nm: float) -> tuple[RepositionState, int]:
    """The plane of the next slice, given the depth of its face in nm.

    Halves round up, so that the result does not depend on the parity of the plane. Depths above the first
    face (measurement noise around 0) go to plane 0. Raises ValueError for a depth that is not finite: a slice
    whose depth is unknown is a gap, and a gap is not placed.
    """
    if not isfinite(depth_nm):
        raise ValueError(f"reposition: the depth is {depth_nm} nm; leave out slices without a depth")
    nearest = floor(depth_nm / state.grid_nm + 0.5)
    plane = max(nearest, state.last_plane + 1)
    return RepositionState(state.grid_nm, plane), plane


def place_all(depths_nm: Iterable[float], grid_nm: float) -> list[int]:
    """The planes of a whole run at once; strictly increasing, one per slice."""
    state, planes = start_reposition(grid_nm), list[int]()
    for depth_nm in depths_nm:
        state, plane = place(state, depth_nm)
        planes.append(plane)
    return planes
