"""The voxel structure as the kernel reads it: the phase of a voxel and how far around it nothing changes.

A byte holds both: the phase in the low three bits, above it r, the half width of a cube of (2r + 1)³ voxels
around the voxel that is all of that phase. Inside the cube flights are sampled with the phase's own rate;
only near a boundary does delta tracking [1]_ with the largest rate of all phases take over. Both are exact;
the cubes save most of the virtual collisions in the light phase.

.. [1] E. R. Woodcock et al., "Techniques used in the GEM code for Monte Carlo neutronics calculations in
   reactors and other systems of complex geometry", ANL-7050 (1965).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt, maximum_filter, minimum_filter

PHASE_BITS = 3
LARGEST_RADIUS = 31


def pack_cells(phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Phases (z, y, x) below 8 -> cells (z, y, x), uint8. Raises ValueError for other phases.

    Cubes may reach beyond the volume: it is continued by reflection, and a reflected boundary is never
    nearer than the boundary itself.
    """
    if phases.ndim != 3 or phases.size == 0 or int(phases.max()) >= 2**PHASE_BITS:
        raise ValueError(f"phases of shape {phases.shape}: give a volume (z, y, x) of phases 0 to 7")
    radius = np.minimum(_radii(phases), LARGEST_RADIUS).astype(np.uint8)
    return np.bitwise_or(phases, np.left_shift(radius, np.uint8(PHASE_BITS)), dtype=np.uint8)


def _radii(phases: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Chessboard distance to the nearest voxel with a neighbour of another phase."""
    calm = minimum_filter(phases, 3, mode="nearest") == maximum_filter(phases, 3, mode="nearest")
    if calm.all():
        return np.full(phases.shape, LARGEST_RADIUS, dtype=np.int32)
    return np.asarray(distance_transform_cdt(calm, "chessboard"), dtype=np.int32)
