"""The solid's outline as a mesh for the screen, from a coarse level of the volume.

Made on the monitor's machine and at most every few seconds, so that neither the daemon's loop nor a browser
waits for it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from algorithms.envelope import block_density, envelope
from daemon.client import Client
from daemon.mesh_files import write_stl

LONGEST_BLOCKS = 110
"""Along the meshed volume's longest side: some 5·10⁴ triangles, 2.5 MB."""
LEVEL = 0.2
"""Of solid in a block: between pore (0) and a ligament of fine ligaments (0.35 in the published gold)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A binary STL file in nm, of a volume with ``planes`` planes and this ``extent_nm`` (z, y, x).

    ``block_nm`` is the side of the blocks whose density it outlines.
    """

    stl: bytes
    planes: int
    extent_nm: tuple[float, float, float]
    block_nm: float
    triangles: int


def read_mesh(client: Client, shape: tuple[int, int, int], grid_nm: float) -> Mesh:
    """Ask for the volume of ``shape`` (z, y, x) in a coarse level and mesh it.

    Raises
    ------
    WireError
        The daemon does not answer or has no such planes.
    """
    level = coarse_level(shape)
    labels = client.planes(0, shape[0] >> level, level)
    step = max(1, -(-max(labels.shape) // LONGEST_BLOCKS))
    voxel_nm = grid_nm * 2**level
    density = block_density(labels == 1, step)
    block_nm = step * voxel_nm
    part = envelope(density, LEVEL, (min(step, labels.shape[0]) * voxel_nm, block_nm, block_nm))
    with tempfile.TemporaryDirectory(prefix="slicewatch-mesh-") as folder:
        path = Path(folder) / "surface.stl"
        triangles = write_stl(path, [part]) if len(part.triangles) else 0
        stl = path.read_bytes() if triangles else b""
    depth, height, width = (count * grid_nm for count in shape)
    return Mesh(stl, shape[0], (depth, height, width), block_nm, triangles)


def coarse_level(shape: tuple[int, int, int]) -> int:
    """The pyramid level of which at most four times the meshed blocks have to be sent along a side."""
    level = 0
    while max(shape) >> level > 4 * LONGEST_BLOCKS and shape[0] >> (level + 1):
        level += 1
    return level
