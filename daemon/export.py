"""``slicewatch export``: the volume of a run as an ImageJ stack or as a surface mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from algorithms.surface import surface
from daemon.errors import ConfigurationError, FolderError, StoreError
from daemon.mesh_files import write_ply, write_stl
from daemon.outputs import Outputs

SLAB_PLANES: Final = 64
MESH_WRITERS: Final = {".stl": write_stl, ".ply": write_ply}


@dataclass(frozen=True, slots=True)
class ExportedVolume:
    """A pyramid level of a run's volume: ``array`` (z, y, x) uint8 with cubic voxels.

    ``centre_nm`` is where the centre of voxel 0 lies along all three axes: coarser levels begin further in.
    """

    array: Any
    voxel_nm: float
    centre_nm: float

    def slabs(self) -> Iterator[NDArray[np.uint8]]:
        """Consecutive slabs from the first plane on."""
        for first in range(0, self.array.shape[0], SLAB_PLANES):
            yield np.asarray(self.array[first : first + SLAB_PLANES])


def export(output: Path, *, tiff: Path | None, mesh: Path | None, level: int) -> list[str]:
    """Write the wanted files; a line about each.

    Raises
    ------
    FolderError
        The folder holds no volume, or not this level.
    ConfigurationError
        Nothing is asked for, or a mesh in an unknown format.
    StoreError
        A file cannot be written.
    """
    if tiff is None and mesh is None:
        raise ConfigurationError(
            "nothing to export", where="slicewatch export", remedy="Give --tiff FILE.tif or --mesh FILE.stl."
        )
    volume = open_exported(output, level)
    told: list[str] = []
    try:
        if tiff is not None:
            told.append(export_tiff(volume, tiff))
        if mesh is not None:
            told.append(export_mesh(volume, mesh))
    except OSError as error:
        raise StoreError(
            f"the export cannot be written: {error.strerror or error}",
            where=str(error.filename or output),
            remedy="Check free space and rights of the target folder.",
        ) from error
    return told


def open_exported(output: Path, level: int) -> ExportedVolume:
    """A level of a run's volume.

    Raises
    ------
    FolderError
        The folder holds no volume, or not this level.
    """
    path = Outputs(output).volume
    if not (path / str(level) / "zarr.json").exists():
        raise FolderError(
            f"there is no volume with level {level}",
            where=str(path),
            remedy="Give the run.output of a run with final planes; level 0 is the full resolution.",
        )
    group: Any = zarr.open_group(str(path), mode="r")
    dataset = group.attrs["ome"]["multiscales"][0]["datasets"][level]
    scale, translation = dataset["coordinateTransformations"]
    return ExportedVolume(group[str(level)], float(scale["scale"][0]), float(translation["translation"][0]))


def export_tiff(volume: ExportedVolume, path: Path) -> str:
    """An ImageJ hyperstack, calibrated in nm, plane by plane."""
    per_nm = 1.0 / volume.voxel_nm
    tifffile.imwrite(
        path,
        data=(plane for slab in volume.slabs() for plane in slab),
        shape=volume.array.shape,
        dtype=np.uint8,
        imagej=True,
        resolution=(per_nm, per_nm),
        metadata={"axes": "ZYX", "spacing": volume.voxel_nm, "unit": "nm", "min": 0.0, "max": 1.0},
    )
    return f"{path}: {volume.array.shape[0]} planes, {volume.voxel_nm:g} nm voxels"


def export_mesh(volume: ExportedVolume, path: Path) -> str:
    """The surface of the solid, in nm, in the format that the file name's ending says.

    Raises
    ------
    ConfigurationError
        The ending is none of those that can be written.
    """
    write = MESH_WRITERS.get(path.suffix.lower())
    if write is None:
        raise ConfigurationError(
            f"meshes are written as {' or '.join(MESH_WRITERS)}, not {path.suffix!r}",
            where=f"--mesh {path}",
            remedy="Give the file one of these endings.",
        )
    parts = surface(volume.slabs(), volume.voxel_nm, volume.centre_nm)
    return f"{path}: {write(path, parts)} triangles, lengths in nm"
