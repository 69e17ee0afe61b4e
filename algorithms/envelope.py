"""The outline of a porous solid at a resolution that a screen can turn: an isosurface of its local density.

Blocks of voxels are replaced by the share of solid in them, and the surface is where that share crosses a
level (marching cubes). Where blocks are larger than the ligaments this is not their surface any more but the
envelope of what they form together, so it is for looking, never for measuring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from algorithms.surface import SurfacePart


def block_density(solid: NDArray[np.bool_], step: int) -> NDArray[np.float32]:
    """Share of solid in blocks of ``step`` voxels a side; incomplete blocks at the far ends are left out.

    ``solid`` is (z, y, x); a volume thinner than a block counts as one block along z.
    """
    deep = min(step, solid.shape[0])
    z, y, x = solid.shape[0] // deep, solid.shape[1] // step, solid.shape[2] // step
    blocks = solid[: z * deep, : y * step, : x * step].reshape(z, deep, y, step, x, step)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32), dtype=np.float32)


def envelope(density: NDArray[np.float32], level: float, block_nm: tuple[float, float, float]) -> SurfacePart:
    """Surface at which ``density`` (z, y, x) crosses ``level``, closed at the volume's sides.

    ``block_nm`` is the size of a block (z, y, x); vertices are (x, y, z) in nm with 0 at the volume's corner.
    There are no triangles where nothing is denser than the level.
    """
    padded = np.pad(density, 1)
    if not padded.max() > level:
        return SurfacePart(np.empty((0, 3), np.float32), np.empty((0, 3), np.int64))
    places, triangles, _, _ = marching_cubes(padded, level)
    size = np.asarray(block_nm, np.float32)
    vertices = ((places - 0.5) * size)[:, ::-1].astype(np.float32)
    return SurfacePart(np.ascontiguousarray(vertices), triangles.astype(np.int64))
