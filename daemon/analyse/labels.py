"""The volume of labels that is analysed: of a run, or any OME-Zarr image of labels with cubic voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from daemon.errors import FolderError
from daemon.outputs import Outputs

NANOMETRES: Final = {"nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6, "angstrom": 0.1}
UNEQUAL: Final = 1e-3
"""Edges of a voxel that differ by more than this share are not equal."""


@dataclass(frozen=True, slots=True)
class Labels:
    """``array`` (z, y, x) of whole numbers, read by slices; ``name`` says where it comes from."""

    array: Any
    voxel_nm: float
    name: str


def open_labels(path: Path, level: int) -> Labels:
    """The labels of a run's output folder, or of an OME-Zarr image.

    Raises
    ------
    FolderError
        There is no such volume or level, its voxels are not cubic, or it does not hold labels.
    """
    folder = Outputs(path).volume if Outputs(path).volume.is_dir() else path
    image = _image(folder)
    datasets = image["datasets"]
    if not 0 <= level < len(datasets):
        raise FolderError(
            f"there is no level {level}",
            where=str(folder),
            remedy=f"Give a --level from 0 to {len(datasets) - 1}.",
        )
    array = _array(folder, datasets[level])
    if min(array.shape, default=0) < 1:
        raise FolderError(
            f"the volume is empty, {array.shape} voxels",
            where=str(folder),
            remedy="Wait until planes of the run are final.",
        )
    return Labels(array, _voxel_nm(folder, image, datasets[level]), str(folder))


def _image(folder: Path) -> Mapping[str, Any]:
    """Metadata of the first multiscale image, as version 0.5 of OME-Zarr or an earlier one has them."""
    try:
        group: Any = zarr.open_group(str(folder), mode="r")
        attributes: Mapping[str, Any] = group.attrs.asdict()
        return attributes.get("ome", attributes)["multiscales"][0]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FolderError(
            "there is no volume here that could be analysed",
            where=str(folder),
            remedy="Give the run.output of a run with final planes, or an OME-Zarr image of labels.",
        ) from error


def _array(folder: Path, dataset: Mapping[str, Any]) -> Any:
    try:
        array: Any = zarr.open_array(str(folder / dataset["path"]), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise FolderError(
            f"its voxels cannot be read: {error}", where=str(folder), remedy="Copy the volume again, whole."
        ) from error
    if array.ndim != 3 or array.dtype.kind not in "biu":
        raise FolderError(
            f"not a volume of labels: {array.ndim} axes of {array.dtype}",
            where=str(folder),
            remedy="Give labels (z, y, x) of whole numbers: 0 pore, 1 solid, 2 … further phases.",
        )
    return array


def _voxel_nm(folder: Path, image: Mapping[str, Any], dataset: Mapping[str, Any]) -> float:
    try:
        scales = [t["scale"] for t in dataset["coordinateTransformations"] if t["type"] == "scale"]
        units = [NANOMETRES[axis["unit"]] for axis in image["axes"]]
        edges = np.asarray(scales[0], dtype=np.float64) * np.asarray(units)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FolderError(
            "the size of a voxel is not told in a unit of length",
            where=str(folder),
            remedy=f"Add a scale, and axes whose unit is one of {', '.join(NANOMETRES)}.",
        ) from error
    if edges.size != 3 or not edges.min() > 0.0 or np.ptp(edges) > UNEQUAL * edges.max():
        raise FolderError(
            f"voxels of {' × '.join(f'{edge:g}' for edge in edges)} nm are not cubes",
            where=str(folder),
            remedy="Resample the labels to cubic voxels; the volume of a run has them.",
        )
    return float(edges.mean())
