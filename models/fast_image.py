"""The fast image of voxels: the column model with the depth response that the backscatter network learned."""

import numpy as np
from numpy.typing import NDArray

from algorithms.depth_response import DepthResponse
from algorithms.electrons import layer_depths_nm
from algorithms.imaging import backscatter_image


def seen_planes(voltage_kv: float, voxel_nm: float, planes: int) -> NDArray[np.int64]:
    """Planes of voxels below a face that its image looks at, of ``planes`` that there are."""
    seen = np.unique(np.rint(layer_depths_nm(voltage_kv, voxel_nm) / voxel_nm).astype(np.int64))
    return seen[seen < planes]


def fast_image(
    layers: NDArray[np.uint8],
    planes: NDArray[np.int64],
    voxel_nm: float,
    voltage_kv: float,
    response: DepthResponse,
) -> NDArray[np.float32]:
    """Backscattered share, noise-free: float32 (y, x); one voxel is one pixel.

    Args:
        layers: phases uint8 (plane, y, x), 0 epoxy and 1 gold, of the planes seen.
        planes: which these are, from :func:`seen_planes`; 0 is the face.
        voxel_nm: edge of a voxel.
        voltage_kv: of the beam.
        response: how deep it sees.
    """
    depths_nm = planes.astype(np.float64) * voxel_nm
    return backscatter_image(layers, depths_nm, voltage_kv, (voxel_nm, voxel_nm), response)
