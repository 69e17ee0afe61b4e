"""Connected pieces of a phase in a volume of slabs: how large they are, and which ends of the volume they
reach.

Voxels that share a face are connected. Each slab is labelled by itself, then pieces that meet across the
planes between slabs are united, so the result is that of the whole volume. For planes that arrive one by one
see :mod:`algorithms.connectivity`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.connectivity import contacts, roots
from algorithms.slabs import Block, OnVoxels, Volume, nothing_told, read, slabs

Pieces = NDArray[np.int32]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Components:
    """Components numbered from 0, of a phase cut into ``parts``.

    ``sizes`` ``(n,)`` in voxels; ``reaches`` ``(n, 3, 2)`` whether one reaches the first and the last plane
    along z, y, x; ``of_piece`` gives the component of each slab's pieces, from piece 1 on.
    """

    parts: tuple[Block, ...]
    sizes: Counts
    reaches: Mask
    of_piece: tuple[Counts, ...]

    def spanning(self, axis: int) -> Mask:
        """``(n,)`` whether a component reaches both ends of an axis (0 z, 1 y, 2 x)."""
        return np.asarray(self.reaches[:, axis].all(axis=1))

    def closed(self) -> Mask:
        """``(n,)`` whether a component reaches no end of any axis."""
        return np.asarray(~self.reaches.any(axis=(1, 2)))

    def share(self, chosen: Mask) -> float:
        """Share of the phase that belongs to the chosen components; NaN without the phase."""
        total = self.sizes.sum()
        return float(self.sizes[chosen].sum() / total) if total else np.nan


def components(phase: Volume, planes: int, on_voxels: OnVoxels = nothing_told) -> Components:
    """The components of a boolean phase (z, y, x), ``planes`` labelled at a time."""
    z, y, x = phase.shape
    parts, sizes, reaches = slabs((z, y, x), planes), [], []
    starts, upper, lower = [0], [], []
    before: Pieces | None = None
    for part in parts:
        pieces, count = label(read(phase, part.core))
        sizes.append(_sizes(pieces, count))
        reaches.append(_reached(pieces, count, part, z))
        if before is not None:
            above, below = contacts(before, pieces[0])
            upper.append(starts[-2] + above)
            lower.append(starts[-1] + below)
        starts.append(starts[-1] + count)
        before = pieces[-1]
        on_voxels(part.size)
    united = roots(_joined(upper), _joined(lower), starts[-1])
    return _united(tuple(parts), united, np.concatenate(sizes), np.concatenate(reaches), starts)


def label(phase: Mask) -> tuple[Pieces, int]:
    """Pieces of an array, numbered from 1, and their number."""
    pieces, count = cc3d.connected_components(
        phase, connectivity=6, out_dtype=np.uint32, return_N=True, binary_image=True
    )
    return pieces.view(np.int32), int(count)


def members(phase: Volume, found: Components, chosen: Mask) -> Iterator[tuple[Block, Mask]]:
    """Slab by slab, which voxels belong to the chosen components of the phase that they were found in."""
    for part, of_piece in zip(found.parts, found.of_piece, strict=True):
        pieces, _ = label(read(phase, part.core))
        yield part, np.concatenate(([False], chosen[of_piece]))[pieces]


def largest_in(phase: Volume, values: Volume, found: Components) -> NDArray[np.float64]:
    """The largest of ``values`` (z, y, x) in each component, ``(n,)``."""
    largest = np.full(found.sizes.size, -np.inf)
    for part, of_piece in zip(found.parts, found.of_piece, strict=True):
        pieces, count = label(read(phase, part.core))
        if count:
            in_pieces = ndimage.maximum(read(values, part.core), pieces, np.arange(1, count + 1))
            np.maximum.at(largest, of_piece, np.asarray(in_pieces, dtype=np.float64))
    return largest


def _sizes(pieces: Pieces, count: int) -> Counts:
    """Voxels of each piece, by runs of equal voxels: counting one by one waits for the counter each time."""
    flat = pieces.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths = np.diff(starts, append=flat.size)
    return np.bincount(flat[starts], weights=lengths, minlength=count + 1)[1:].astype(np.int64)


def _reached(pieces: Pieces, count: int, part: Block, planes: int) -> Mask:
    """``(count, 3, 2)`` which ends of the volume the pieces of a slab reach."""
    reached = np.zeros((count + 1, 3, 2), dtype=np.bool_)
    ends = {(0, 0): pieces[0], (0, 1): pieces[-1], (1, 0): pieces[:, 0], (1, 1): pieces[:, -1],
            (2, 0): pieces[:, :, 0], (2, 1): pieces[:, :, -1]}  # fmt: skip
    for (axis, end), face in ends.items():
        if axis or (part.core[0].start == 0 if end == 0 else part.core[0].stop == planes):
            reached[face.ravel(), axis, end] = True
    return reached[1:]


def _joined(parts: Sequence[Counts]) -> Counts:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _united(
    parts: tuple[Block, ...], united: Counts, sizes: Counts, reaches: Mask, starts: Sequence[int]
) -> Components:
    count = int(united.max(initial=-1)) + 1
    whole_sizes, whole_reaches = np.zeros(count, dtype=np.int64), np.zeros((count, 3, 2), dtype=np.bool_)
    np.add.at(whole_sizes, united, sizes)
    np.logical_or.at(whole_reaches, united, reaches)
    of_piece = tuple(united[first:end] for first, end in pairwise(starts))
    return Components(parts, whole_sizes, whole_reaches, of_piece)
