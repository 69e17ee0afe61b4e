"""Planes that are not final yet, along the two cuts of the preview: shown below the volume, then replaced.

A face waits for its neighbours to be segmented for good, and a plane for the slices behind it. Until then
both are known well enough to be looked at. Only strips around the cuts are filled, so that a preview costs
little; nothing here reaches the volume, the metrics or the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.interpolation import add_slice, finish
from algorithms.reposition import place
from algorithms.resampling import InPlaneGrid, most_probable, resample_probabilities
from algorithms.slice_filling import Interpolation
from daemon.stages.growing import GrowthState

HALF_PX: Final = 12
"""Voxels on either side of a cut: further than any filling looks sideways."""

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """Labels around both cuts of a face that is not final: ``xz`` (rows, x), ``yz`` (y, columns)."""

    index: int
    depth_nm: float
    xz: Labels
    yz: Labels


def strips(growth: GrowthState, index: int, depth_nm: float, probabilities: NDArray[np.float32]) -> Strips:
    """The strips of a face from its provisional probabilities (classes, y, x) in native pixels."""
    grid = growth.grid
    rows, columns = around(grid.height), around(grid.width)

    def labels(part: InPlaneGrid) -> Labels:
        return most_probable(resample_probabilities(probabilities, growth.pixels, part))

    below = replace(
        grid, height=rows.stop - rows.start, origin_y_nm=grid.origin_y_nm + rows.start * grid.grid_nm
    )
    beside = replace(
        grid, width=columns.stop - columns.start, origin_x_nm=grid.origin_x_nm + columns.start * grid.grid_nm
    )
    return Strips(index, depth_nm, labels(below), labels(beside))


def around(length: int) -> slice:
    """The voxels of a strip through the middle of a side."""
    return slice(max(0, length // 2 - HALF_PX), min(length, length // 2 + HALF_PX + 1))


def foreseen(growth: GrowthState, filling: Interpolation, waiting: Sequence[Strips]) -> Mapping[str, Labels]:
    """The planes after the last final one along ``xz`` (planes, x) and ``yz`` (planes, y).

    ``waiting`` are the faces that are not placed yet, in order.
    """
    rows, columns = around(growth.grid.height), around(growth.grid.width)
    xz = _filled(growth, filling, lambda plane: plane[rows], [(one.depth_nm, one.xz) for one in waiting])
    yz = _filled(
        growth, filling, lambda plane: plane[:, columns], [(one.depth_nm, one.yz) for one in waiting]
    )
    return {
        "xz": xz[:, growth.grid.height // 2 - rows.start],
        "yz": yz[:, :, growth.grid.width // 2 - columns.start],
    }


def _filled(
    growth: GrowthState,
    filling: Interpolation,
    cut: Callable[[Labels], Labels],
    waiting: Sequence[tuple[float, Labels]],
) -> Labels:
    """Planes (z, y, x) of a strip, as they would be if the run ended now."""
    before = growth.interpolation
    state = replace(before, slices=tuple(cut(plane) for plane in before.slices))
    reposition, parts = growth.reposition, list[Labels]()
    for depth_nm, labels in waiting:
        reposition, z_plane = place(reposition, depth_nm)
        state, planes = add_slice(filling, state, z_plane, labels)
        parts += [group.labels for group in planes]
    parts += [group.labels for group in finish(filling, state)[1]]
    empty = np.empty((0, *cut(np.empty((growth.grid.height, growth.grid.width), np.uint8)).shape), np.uint8)
    return np.concatenate([empty, *parts])
