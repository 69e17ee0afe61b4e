"""Volumes in parts that fit the memory: slabs of planes and blocks with a halo, and sweeps until nothing
changes.

Whatever holds planes ``(z, y, x)`` and is read and written by slices can be the volume: an array, a memory
map, an array of Zarr.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]
Region = tuple[slice, slice, slice]
OnVoxels = Callable[[int], None]
"""Told how many voxels have been dealt with since the last time."""


class Volume(Protocol):
    """Voxels (z, y, x) that are read by slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(z, y, x)."""
        ...

    def __getitem__(self, region: Any, /) -> Any:
        """The voxels of a region."""
        ...


class WritableVolume(Volume, Protocol):
    """Voxels that are written by slices too."""

    def __setitem__(self, region: Any, values: Any, /) -> None:
        """Replace the voxels of a region."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """``core`` is this block's own part of the volume, ``outer`` that with its halo, cut at the volume's
    ends; ``inner`` is where the core lies in an array of ``outer``."""

    core: Region
    outer: Region
    inner: Region

    @property
    def size(self) -> int:
        """Voxels of the core."""
        return int(np.prod([one.stop - one.start for one in self.core]))


def nothing_told(_voxels: int) -> None:
    """For those who do not want to know how far it is."""


def slabs(shape: Shape, planes: int, halo: int = 0) -> list[Block]:
    """Slabs of ``planes`` planes along z with a halo of ``halo`` planes."""
    return blocks(shape, (planes, shape[1], shape[2]), halo)


def planes_within(shape: Shape, voxels: int) -> int:
    """As many planes as hold this many voxels, at least 2, at most all."""
    return min(max(2, voxels // max(1, shape[1] * shape[2])), max(2, shape[0]))


def blocks(shape: Shape, core: Shape, halo: int) -> list[Block]:
    """The volume in blocks of ``core`` voxels, row by row; those at the far ends may be smaller."""
    along = [_spans(length, step, halo) for length, step in zip(shape, core, strict=True)]
    return [Block(*(_region(axis) for axis in zip(z, y, x, strict=True)))
            for z in along[0] for y in along[1] for x in along[2]]  # fmt: skip


def core_within(shape: Shape, voxels: int, halo: int) -> Shape:
    """Edges of the largest core whose block, halo included, holds this many voxels; at least as wide as the
    halo.

    As equal edges as the volume allows: what a short axis leaves over goes to the others.
    """
    room, edges = float(voxels), [0, 0, 0]
    for order, axis in enumerate(np.argsort(shape)):
        edge = int(room ** (1.0 / (3 - order)))
        edges[axis] = shape[axis] if edge >= shape[axis] else max(edge - 2 * halo, halo, 1)
        room /= min(shape[axis], edges[axis] + 2 * halo)
    return edges[0], edges[1], edges[2]


def settle(parts: list[Block], visit: Callable[[Block, bool], tuple[bool, bool]]) -> None:
    """Visit slabs up and down until no visit changes what its neighbours see.

    ``visit(slab, is_first)`` says whether its core changed near its first and near its last plane.
    """
    waiting, fresh = set(range(len(parts))), set(range(len(parts)))
    while waiting:
        for order in (range(len(parts)), range(len(parts) - 1, -1, -1)):
            for index in order:
                if index in waiting:
                    waiting.discard(index)
                    changed = visit(parts[index], index in fresh)
                    fresh.discard(index)
                    _wake(waiting, index, changed, len(parts))


def _wake(waiting: set[int], index: int, changed: tuple[bool, bool], count: int) -> None:
    for beside, is_changed in zip((index - 1, index + 1), changed, strict=True):
        if is_changed and 0 <= beside < count:
            waiting.add(beside)


def _spans(length: int, step: int, halo: int) -> list[tuple[slice, slice, slice]]:
    return list(_cut(length, step, halo))


def _cut(length: int, step: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    for first in range(0, length, step):
        end = min(first + step, length)
        low, high = max(0, first - halo), min(length, end + halo)
        yield slice(first, end), slice(low, high), slice(first - low, end - low)


def _region(axes: tuple[slice, ...]) -> Region:
    return axes[0], axes[1], axes[2]


def read(volume: Volume, region: Region) -> NDArray[Any]:
    """The voxels of a region as an array."""
    return np.asarray(volume[region])
