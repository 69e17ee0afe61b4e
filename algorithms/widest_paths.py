"""How large a ball may be to get from where it is let in to each place: the widest path, for all radii at
once.

Every voxel has a capacity: how many radii of an increasing list fit there. A path is as wide as its narrowest
voxel, and each voxel gets the width of its widest path (maximum capacity paths: T. C. Hu, Oper. Res. 9, 898
(1961)). The widest fronts go first, so that each voxel is settled when it is first reached. Steps are across
faces; the volume may be cut into slabs, the result is the same.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from algorithms.slabs import Block, OnVoxels, Volume, WritableVolume, nothing_told, read, settle, slabs

Levels = NDArray[np.uint8]
Places = NDArray[np.int64]


def widest_paths(
    capacity: Volume, reached: WritableVolume, planes: int, on_voxels: OnVoxels = nothing_told
) -> None:
    """Complete ``reached`` (z, y, x) uint8 from where balls are let in, there the capacity, 0 elsewhere.

    ``capacity`` uint8; ``planes`` are solved at a time.
    """

    def visit(slab: Block, is_first: bool) -> tuple[bool, bool]:
        on_voxels(slab.size)
        return _visit(capacity, reached, slab, is_first)

    z, y, x = capacity.shape
    settle(slabs((z, y, x), planes, 1), visit)


def _visit(capacity: Volume, reached: WritableVolume, slab: Block, is_first: bool) -> tuple[bool, bool]:
    room = np.pad(read(capacity, slab.outer).astype(np.uint8), 1)
    before: Levels = read(reached, slab.outer)
    local = np.pad(before, 1)
    begins = local > 0
    if not is_first:
        begins[1:-1, 1:-1, 1:-1][slab.inner] = False
    _spread(local, room, np.flatnonzero(begins))
    core, was = local[1:-1, 1:-1, 1:-1][slab.inner], before[slab.inner]
    changed = core != was
    if changed.any():
        reached[slab.core] = core
    return bool(changed[0].any()), bool(changed[-1].any())


def _spread(reached: Levels, room: Levels, begins: Places) -> None:
    """Raise ``reached`` in place from the flat places ``begins`` on; a rim of one voxel has no room."""
    flat, capacity = reached.reshape(-1), room.reshape(-1)
    moves = [sign * stride for stride in reached.strides for sign in (-1, 1)]
    waiting: defaultdict[int, list[Places]] = defaultdict(list)
    _sort_in(waiting, begins, flat)
    while waiting:
        level = max(waiting)
        front = np.concatenate(waiting.pop(level))
        front = front[flat[front] == level]
        raised = [_step(flat, capacity, front, move, level) for move in moves]
        _sort_in(waiting, np.concatenate(raised), flat)


def _step(flat: Levels, capacity: Levels, front: Places, move: int, level: int) -> Places:
    """Step from everywhere in a front of one level; the places that it raises."""
    ends = front + move
    widths = np.minimum(capacity[ends], np.uint8(level))
    is_wider = widths > flat[ends]
    ends = ends[is_wider]
    flat[ends] = widths[is_wider]
    return ends


def _sort_in(waiting: defaultdict[int, list[Places]], places: Places, flat: Levels) -> None:
    levels = flat[places]
    for level in np.flatnonzero(np.bincount(levels)) if levels.size else ():
        waiting[int(level)].append(places[levels == level])
