"""What is outside of a particle: all that a ball rolling in through the void from the volume's faces covers.

The rest, solid and the pores that the ball cannot reach, is the particle (rolling ball; sources in
docs/reference/pore-space.md). Distances below its boundary follow by an exact transform over the whole
volume.
"""

from dataclasses import dataclass

import numpy as np

from algorithms.balls import BlockSize, cover, fitting_levels
from algorithms.slabs import OnVoxels, Shape, Volume, WritableVolume, nothing_told, read, slabs
from algorithms.squared_distance import lower_across_planes, squared_distance_in_planes
from algorithms.widest_paths import widest_paths


@dataclass(frozen=True, slots=True)
class Effort:
    """Voxels held at once: in a slab, and in a block with its halo."""

    planes: int
    size: BlockSize


def let_in_from_faces(capacity: Volume, reached: WritableVolume) -> None:
    """Copy the capacity of the six faces of the volume into ``reached``."""
    for axis in range(3):
        for end in (slice(0, 1), slice(-1, None)):
            face = tuple(end if one == axis else slice(None) for one in range(3))
            reached[face] = capacity[face]


def outside_of_particle(
    void: Volume,
    outside: WritableVolume,
    scratch: tuple[WritableVolume, WritableVolume],
    radius: float,
    effort: Effort,
    on_voxels: OnVoxels = nothing_told,
) -> None:
    """Write into ``outside`` what a ball of ``radius`` voxels reaches through the boolean ``void``.

    ``scratch``: two volumes of uint8, the second one all 0.
    """
    fits, reached = scratch
    fitting_levels(void, fits, (radius,), effort.size, on_voxels)
    let_in_from_faces(fits, reached)
    widest_paths(fits, reached, effort.planes, on_voxels)
    cover(reached, outside, radius, effort.size, on_voxels)


def squared_depths(
    outside: Volume, squares: WritableVolume, effort: Effort, on_voxels: OnVoxels = nothing_told
) -> None:
    """Write into ``squares`` uint32 the squared distance to the nearest outside voxel, in voxels.

    Where nothing is outside, distances are longer than the volume.
    """
    z, y, x = outside.shape
    whole: Shape = (z, y, x)
    reach = int(np.ceil(np.linalg.norm(whole)))
    for slab in slabs(whole, effort.planes):
        planes = read(outside, slab.core).astype(np.bool_)
        squares[slab.core] = squared_distance_in_planes(planes, reach).astype(np.uint32)
        on_voxels(slab.size)
    rows = max(1, effort.planes * y // z)
    for first in range(0, y, rows):
        strip = (slice(None), slice(first, first + rows), slice(None))
        columns = np.array(squares[strip])
        lower_across_planes(columns, reach)
        squares[strip] = columns
        on_voxels(columns.size)
