"""Balls inside a phase of voxels: where they fit, what they cover; granulometry and intrusion.

A ball of radius r fits at a voxel whose distance to the nearest voxel of another phase is r + ½ or more,
centre to centre, for the boundary runs half a voxel before it; it covers the voxels nearer than r + ½. Where
the volume ends nothing is known, so that balls may reach beyond. A slab of an odd number of voxels has
exactly its thickness, any other body its own to half the diagonal of a voxel.

What balls of each radius cover is the continuous distribution of sizes (local thickness [1]_); what those
cover that get there from outside, the intrusion [2]_. Radii at which half of the phase is covered are r_max
and r_min, and the constrictivity is (r_min / r_max)² [3]_.

.. [1] T. Hildebrand, P. Rüegsegger, J. Microsc. 185, 67 (1997).
.. [2] B. Münch, L. Holzer, J. Am. Ceram. Soc. 91, 4059 (2008).
.. [3] O. Stenzel et al., AIChE J. 62, 1834 (2016), doi:10.1002/aic.15160.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from algorithms.slabs import (
    Block,
    OnVoxels,
    Shape,
    Volume,
    WritableVolume,
    blocks,
    core_within,
    nothing_told,
    read,
)
from algorithms.squared_distance import LARGEST_REACH, is_nearer_than, squared_distance

Counts = NDArray[np.int64]
Levels = NDArray[np.uint8]
Radii = Sequence[float]

LARGEST_RADIUS = LARGEST_REACH[np.uint16] - 1.0
"""In voxels; what is wider counts as this wide, and :func:`is_cut_off` says so."""
FINEST_STEP = 0.5
RELATIVE_STEP = 0.05
"""Radii are half a voxel apart, and 5 % from 10 voxels on."""


@dataclass(frozen=True, slots=True)
class BlockSize:
    """Voxels that a block may hold, halo included."""

    voxels: int

    def blocks(self, shape: tuple[int, ...], halo: int) -> list[Block]:
        """The volume in such blocks."""
        z, y, x = shape
        whole: Shape = (z, y, x)
        return blocks(whole, core_within(whole, self.voxels, halo), halo)


def radii_up_to(largest: float) -> tuple[float, ...]:
    """½, 1, 1½, … voxels and ``largest`` itself; always ½, at which a voxel covers itself."""
    radii = [FINEST_STEP]
    while (following := radii[-1] + max(FINEST_STEP, RELATIVE_STEP * radii[-1])) < largest:
        radii.append(following)
    return (*radii, largest) if largest > radii[-1] else tuple(radii)


def largest_radius(phase: Volume, size: BlockSize, on_voxels: OnVoxels = nothing_told) -> float:
    """Radius in voxels of the largest ball in a boolean phase, at most LARGEST_RADIUS; 0 without the phase.

    The reach is doubled until no ball is larger, so that narrow phases cost little.
    """
    reach = 12
    while True:
        squares = [
            _largest_square(phase, block, reach, on_voxels) for block in size.blocks(phase.shape, reach)
        ]
        largest = max(squares, default=0)
        if largest <= reach**2:
            return min(max(0.0, float(np.sqrt(largest)) - 0.5), LARGEST_RADIUS)
        if reach > LARGEST_RADIUS:
            return LARGEST_RADIUS
        reach = min(2 * reach, int(LARGEST_RADIUS) + 1)


def is_cut_off(radii: Radii) -> bool:
    """Whether wider balls than the last of the increasing ``radii`` may fit too, and count as that one."""
    return radii[-1] >= LARGEST_RADIUS


def _largest_square(phase: Volume, block: Block, reach: int, on_voxels: OnVoxels) -> int:
    inside = read(phase, block.outer).astype(np.bool_)
    on_voxels(block.size)
    return int(squared_distance(~inside, reach)[block.inner].max(initial=0)) if inside.any() else 0


def fitting_levels(
    phase: Volume, levels: WritableVolume, radii: Radii, size: BlockSize, on_voxels: OnVoxels = nothing_told
) -> None:
    """Write into ``levels`` uint8 how many of the increasing ``radii`` fit at each voxel of a boolean phase.

    Raises ValueError for more than 255 radii or one beyond LARGEST_RADIUS.
    """
    if len(radii) > 255:
        raise ValueError(f"balls of {len(radii)} radii, but at most 255 are told apart")
    if radii[-1] > LARGEST_RADIUS:
        raise ValueError(
            f"a ball of radius {radii[-1]:g} voxels, but balls are looked for up to {LARGEST_RADIUS:g} voxels"
        )
    reach = ceil(radii[-1] + 0.5)
    level_of = np.searchsorted(_squares(radii), np.arange(2 * (reach + 1) ** 2), side="right").astype(
        np.uint8
    )
    for block in size.blocks(phase.shape, reach):
        inside = read(phase, block.outer).astype(np.bool_)
        if inside.any():
            levels[block.core] = level_of[squared_distance(~inside, reach)[block.inner]]
        else:
            levels[block.core] = np.uint8(0)
        on_voxels(block.size)


def _squares(radii: Radii) -> NDArray[np.float64]:
    """Squared distances from which balls fit and up to which they cover, less the rounding of a root."""
    return (np.asarray(radii) + 0.5) ** 2 - 1e-6


def covered_counts(
    fields: Sequence[Volume], within: Sequence[Volume | None], radii: Radii, size: BlockSize,
    on_voxels: OnVoxels = nothing_told,
) -> Counts:  # fmt: skip
    """Voxels that balls of at least each radius cover, int64 (fields, radii).

    ``fields`` uint8 say how many of the ``radii`` balls may have at each voxel; what is covered by balls of
    the first field is taken from it where another has the same. ``within`` restricts what is counted.
    """
    counts = np.zeros((len(fields), len(radii)), dtype=np.int64)
    for block in size.blocks(fields[0].shape, ceil(radii[-1] + 0.5)):
        levels = [read(field, block.outer) for field in fields]
        masks = [None if mask is None else read(mask, block.core).astype(np.bool_) for mask in within]
        _add_covered(counts, levels, masks, block, radii)
        on_voxels(block.size)
    return counts


def _add_covered(
    counts: Counts, levels: list[Levels], masks: list[NDArray[np.bool_] | None], block: Block, radii: Radii
) -> None:
    """Add what one block holds, from the largest ball to the smallest; a larger one's cover stays covered."""
    covers = [np.zeros_like(levels[0][block.inner], dtype=np.bool_) for _ in levels]
    for index in range(int(levels[0].max(initial=0)) - 1, -1, -1):
        all_centres = levels[0] > index
        of_all = covered_by(all_centres, radii[index])[block.inner]
        for field, (level, cover, mask) in enumerate(zip(levels, covers, masks, strict=True)):
            centres = level > index
            if centres.any():
                is_same = field == 0 or np.array_equal(centres, all_centres)
                cover |= of_all if is_same else covered_by(centres, radii[index])[block.inner]
            counts[field, index] += np.count_nonzero(cover if mask is None else cover & mask)


def covered_by(centres: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """The voxels that balls of one radius around ``centres`` cover."""
    if radius <= FINEST_STEP:
        return centres
    return is_nearer_than(centres, ceil(float(_squares((radius,))[0])))


def cover(
    centres: Volume,
    covered: WritableVolume,
    radius: float,
    size: BlockSize,
    on_voxels: OnVoxels = nothing_told,
) -> None:
    """Write into ``covered`` what balls of one radius around the voxels of ``centres`` that are not 0
    cover."""
    for block in size.blocks(centres.shape, ceil(radius + 0.5)):
        covered[block.core] = covered_by(read(centres, block.outer) > 0, radius)[block.inner]
        on_voxels(block.size)


def half_radius(radii: Radii, shares: NDArray[np.float64]) -> float:
    """The radius from which on balls cover less than half, in the unit of ``radii``; NaN if none covers half.

    ``shares`` falls with the radius; between two radii it is taken as straight.
    """
    above = np.flatnonzero(shares >= 0.5)
    if not above.size:
        return np.nan
    last = int(above[-1])
    if last + 1 == len(radii):
        return float(radii[last])
    drop = shares[last] - shares[last + 1]
    return float(radii[last] + (radii[last + 1] - radii[last]) * (shares[last] - 0.5) / drop)


def mean_diameter(radii: Radii, counts: Counts) -> float:
    """Mean local thickness in the unit of ``radii``, from the voxels that balls of at least each radius
    cover; NaN without any.

    A voxel's largest ball is between the last radius that covers it and the next, half way on average.
    """
    edges = np.asarray(radii, dtype=np.float64)
    upper = np.append(edges[1:], edges[-1])
    exactly = counts - np.append(counts[1:], 0)
    return float(exactly @ (edges + upper) / counts[0]) if counts.size and counts[0] else np.nan
