"""``slicewatch synthesize dataset``: matched images of every voltage with their truth, to learn from.

The same sample and the same faces twice: as aligned OME-Zarr images of the region of interest with the labels
of every face and of the volume, and as a project that the emulated microscope writes, with its drift, marks
and metadata. The hash of all that an array reader sees names the data set's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from algorithms.acquisition import FaceGrid
from algorithms.network_volumes import voxel_centres_nm
from daemon import __version__
from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.emulator.plan import pixel_y_nm
from daemon.emulator.sample import phases_at
from daemon.emulator.scene import Scene, build_scene, photograph
from daemon.emulator.settings import StageDesign
from daemon.growing_array import GrowingArray, open_growing_array
from daemon.ome import Voxel, image_group
from daemon.synthesize.structure import require_new
from daemon.toml_text import toml_text
from daemon.volume_store import open_volume, write_atomically

MANIFEST: Final = "dataset.json"
LABELS: Final = "labels.ome.zarr"
VOLUME: Final = "volume.ome.zarr"
PROJECT: Final = "project"
_BATCH: Final = 32


def synthesize_dataset(
    settings: EmulatorSettings,
    out: Path,
    *,
    project: bool,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Make a data set in the new folder ``out``; returns its manifest.

    ``told`` hears (slices done, slices).

    Raises
    ------
    ConfigurationError
        The settings are impossible.
    FolderError
        The folder is in use.
    StoreError
        It cannot be written.
    """
    require_new(out)
    still = replace(settings, stage=StageDesign(0.0, 0.0, 0.0, 0.0))
    scene = build_scene(still)
    _write_slices(scene, out, told)
    _write_volume(scene, out)
    manifest = _manifest(scene, out)
    write_atomically(out / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    if project:
        emulate(settings, out / PROJECT, truth=out / "project-truth.npz")
        table = configuration_table(settings, (out / PROJECT).absolute(), (out / "output").absolute())
        write_atomically(out / "project.toml", toml_text(table))
    return manifest


def content_sha256(out: Path, settings: dict[str, Any]) -> str:
    """Of the settings and of every array's name, type, shape and bytes: equal data, equal hash, whatever the
    compression."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(out.glob("*.ome.zarr")):
        array: Any = zarr.open_array(str(path / "0"), mode="r")
        digest.update(f"{path.name} {array.dtype} {array.shape}".encode())
        for first in range(0, array.shape[0], _BATCH):
            digest.update(np.ascontiguousarray(array[first : first + _BATCH]).tobytes())
    return digest.hexdigest()


def _write_slices(scene: Scene, out: Path, told: Callable[[int, int], None] | None) -> None:
    """Images of every channel and labels of every face, slice by slice."""
    x, y, width, height = scene.layout.roi
    names = [f"images_{name}.ome.zarr" for name in scene.settings.channel_names]
    arrays = [_open(scene, out / name, name) for name in (*names, LABELS)]
    grid = scene_grid(scene)
    for index, depth_nm in enumerate(scene.plan.depths_nm):
        for channel, array in enumerate(arrays[:-1]):
            image = np.asarray(photograph(scene, index, channel), dtype=np.uint8)
            array.write(index, image[None, y : y + height, x : x + width])
        arrays[-1].write(index, phases_at(scene.structure, np.array([depth_nm]), grid.y_nm, grid.x_nm))
        if told is not None:
            told(index + 1, scene.settings.slices)


def scene_grid(scene: Scene) -> FaceGrid:
    """The pixels of the region of interest on the face."""
    x, y, width, height = scene.layout.roi
    settings = scene.settings
    return FaceGrid(height, width, settings.pixel_size_nm, pixel_y_nm(settings), float(y), float(x))


def _open(scene: Scene, path: Path, name: str) -> GrowingArray:
    _, _, width, height = scene.layout.roi
    settings = scene.settings
    steps_nm = np.diff(scene.plan.depths_nm)
    thickness_nm = float(steps_nm.mean()) if len(steps_nm) else settings.milling.mean_nm
    voxel = Voxel((thickness_nm, pixel_y_nm(settings), settings.pixel_size_nm))
    provenance = {"depths_nm": scene.plan.depths_nm.tolist(), "version": __version__}
    array = open_growing_array(path / "0", (height, width))
    write_atomically(path / "zarr.json", json.dumps(image_group(name, [voxel], provenance, "none"), indent=2))
    return array


def _write_volume(scene: Scene, out: Path) -> None:
    """The phases between the first face and the last, in cubes as wide as a pixel or the slices' grid."""
    settings, grid = scene.settings, scene_grid(scene)
    edge_nm = settings.milling.grid_nm or settings.pixel_size_nm
    planes = int(np.floor(scene.plan.depths_nm[-1] / edge_nm)) + 1
    y_nm = float(grid.y_nm[0]) + voxel_centres_nm(int(np.ptp(grid.y_nm) / edge_nm), edge_nm)
    x_nm = float(grid.x_nm[0]) + voxel_centres_nm(int(np.ptp(grid.x_nm) / edge_nm), edge_nm)
    volume = open_volume(out / VOLUME, (len(y_nm), len(x_nm)), edge_nm, 2, {"version": __version__})
    for first in range(0, planes, _BATCH):
        z_nm = np.arange(first, min(first + _BATCH, planes), dtype=np.float64) * edge_nm
        volume.append(first, phases_at(scene.structure, z_nm, y_nm, x_nm))
    volume.close()


def _manifest(scene: Scene, out: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(json.dumps(asdict(scene.settings)))
    sha256 = content_sha256(out, settings)
    return {
        "version": sha256[:12],
        "sha256": sha256,
        "slicewatch": __version__,
        "settings": settings,
        "depths_nm": scene.plan.depths_nm.tolist(),
        "thickness_nm": {
            "mean": float(np.diff(scene.plan.depths_nm).mean()) if scene.settings.slices > 1 else None,
            "sigma": float(np.diff(scene.plan.depths_nm).std()) if scene.settings.slices > 1 else None,
        },
        "channels": list(scene.settings.channel_names),
        "pixel_nm": {"x": scene.settings.pixel_size_nm, "y": pixel_y_nm(scene.settings)},
        "solid_fraction": scene.settings.sample.solid_fraction,
    }
