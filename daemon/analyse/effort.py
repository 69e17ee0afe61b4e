"""How much of a volume is held at once, so that an analysis keeps to its memory."""

from __future__ import annotations

from typing import Final

from algorithms.balls import BlockSize
from algorithms.rolling_ball import Effort
from algorithms.slabs import Shape, planes_within

SLAB_BYTES: Final = 48
"""Per voxel while paths spread in a slab: lengths twice, neighbours, order, and the front's own arrays."""
BLOCK_BYTES: Final = 24
"""Per voxel of a block: levels of five fields, squared distances with their copies."""


def effort_for(shape: Shape, memory_bytes: int) -> Effort:
    """Planes per slab and voxels per block that keep to this memory."""
    planes = planes_within(shape, memory_bytes // SLAB_BYTES)
    return Effort(planes, BlockSize(memory_bytes // BLOCK_BYTES))
