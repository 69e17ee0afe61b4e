"""What was seen of every face, as OME-Zarr: how sure the network was, coarse; on request more.

On request that is the solid's probability of every pixel, and the registered images.

Native pixels of the region of interest in the reference frame; the n-th plane is the n-th slice of
``slices.csv`` that is no gap. Their z scale is the *target* thickness, because an image has one: true depths
are in the table, and true to scale in the volume.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.certainty import STEPS, coarse_certainty, coarseness
from daemon.config import Configuration
from daemon.geometry import FaceGeometry
from daemon.growing_array import Plane, open_growing_array
from daemon.items import SegmentedSlice
from daemon.ome import Voxel, image_group
from daemon.outputs import Outputs
from daemon.stages.segmenting import FaceStack
from daemon.volume_store import write_atomically


def keep_face_images(
    outputs: Outputs,
    configuration: Configuration,
    geometry: FaceGeometry,
    order: int,
    seen: tuple[FaceStack, SegmentedSlice],
    provenance: Mapping[str, Any],
) -> None:
    """Write how sure the network was of the ``order``-th final face, and what else is configured.

    Written again it changes nothing.

    Raises
    ------
    StoreError
        The disk is full or gone, or the images belong to another run.
    """
    face, segmented = seen
    voxel = Voxel((configuration.geometry.target_thickness_nm, geometry.pixel_y_nm, geometry.pixel_x_nm))
    _keep_certainty(outputs, voxel, order, segmented.solid_probability, provenance)
    if configuration.volume.store_probabilities:
        grey = np.rint(segmented.solid_probability * 255.0).astype(np.uint8)
        told = {**provenance, "values": "probability of the solid, 255 = 1"}
        _write(outputs.probabilities, voxel, order, grey, told)
    if configuration.volume.store_images:
        for name, image in zip(configuration.channel_names, face.images, strict=True):
            told = {**provenance, "values": f"registered images of channel {name}"}
            _write(outputs.registered(name), voxel, order, image, told)


def _keep_certainty(
    outputs: Outputs, voxel: Voxel, order: int, solid: NDArray[np.float32], provenance: Mapping[str, Any]
) -> None:
    step = coarseness(solid.shape)
    depth_nm, height_nm, width_nm = voxel.size_nm
    told = {**provenance, "values": f"probability of the solid, 1 = 0 … {STEPS + 1} = 1; 0: not kept"}
    coarse = Voxel((depth_nm, step * height_nm, step * width_nm))
    _write(outputs.certainty, coarse, order, coarse_certainty(solid), told)


def _write(
    path: Path, voxel: Voxel, order: int, plane: NDArray[Plane], provenance: Mapping[str, Any]
) -> None:
    shape = (plane.shape[0], plane.shape[1])
    array = open_growing_array(path / "0", shape, plane.dtype.name)
    if not (path / "zarr.json").exists():
        name = path.name.removesuffix(".ome.zarr")
        write_atomically(
            path / "zarr.json", json.dumps(image_group(name, [voxel], provenance, "none"), indent=2)
        )
    array.write(order, plane[None])
