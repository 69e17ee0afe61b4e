"""Group metadata of images that other programs open: OME-NGFF 0.5 (https://ngff.openmicroscopy.org/0.5/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Voxel:
    """Size (z, y, x) of a level's voxels, and where the centre of the first lies along every axis, nm."""

    size_nm: tuple[float, float, float]
    origin_nm: float = 0.0


def image_group(
    name: str, levels: Sequence[Voxel], provenance: Mapping[str, Any], downscaling: str
) -> dict[str, Any]:
    """The ``zarr.json`` of an image whose levels are the arrays "0", "1", …, full resolution first.

    ``provenance`` goes below the key ``slicewatch``; ``downscaling`` names how a level follows from the one
    before.
    """
    multiscale = {
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [_dataset(str(level), voxel) for level, voxel in enumerate(levels)],
        "type": downscaling,
    }
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {
            "ome": {"version": "0.5", "multiscales": [multiscale]},
            "slicewatch": dict(provenance),
        },
    }


def _dataset(path: str, voxel: Voxel) -> dict[str, Any]:
    transformations = [
        {"type": "scale", "scale": list(voxel.size_nm)},
        {"type": "translation", "translation": [voxel.origin_nm] * 3},
    ]
    return {"path": path, "coordinateTransformations": transformations}
