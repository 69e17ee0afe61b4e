"""What really happened in an emulated run, in a file that the daemon under test never sees."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid
from daemon.emulator.plan import pixel_y_nm
from daemon.emulator.sample import Sample, phase_count, phases_at
from daemon.emulator.scene import Scene
from daemon.emulator.structure_arrays import structure_arrays, structure_of
from daemon.errors import ConfigurationError

SCHEMA = 1


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """An emulated run as it was; row i of every array is slice number i + 1 of the file names.

    ``depths_nm`` (slice,), ``shifts_px`` (slice, channel, 2) as (dy, dx) relative to the first slice's
    reference channel, ``roi`` (x, y, width, height) px of the reference frame, ``settings`` every knob.
    """

    depths_nm: NDArray[np.float64]
    shifts_px: NDArray[np.float64]
    surface_shifts_px: NDArray[np.float64]
    reported_nm: NDArray[np.float64]
    channel_names: tuple[str, ...]
    roi: tuple[int, int, int, int]
    pixel_size_nm: float
    pixel_y_nm: float
    structure: Sample
    settings: Mapping[str, object]

    @property
    def roi_grid(self) -> FaceGrid:
        """The pixels of the region of interest in the reference frame."""
        x, y, width, height = self.roi
        return FaceGrid(height, width, self.pixel_size_nm, self.pixel_y_nm, float(y), float(x))

    def face_labels(self, index: int) -> NDArray[np.uint8]:
        """Phases of slice ``index`` (from 0) in the region of interest of the reference frame: (h, w)."""
        grid, depth_nm = self.roi_grid, np.array([self.depths_nm[index]])
        return phases_at(self.structure, depth_nm, grid.y_nm, grid.x_nm)[0]

    @property
    def phases(self) -> int:
        """Phases of the sample, pores among them."""
        return phase_count(self.structure)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The same for all slices: (slice, h, w), computed at every access."""
        return np.stack([self.face_labels(index) for index in range(len(self.depths_nm))])

    def volume_labels(
        self, z_nm: NDArray[np.float64], y_nm: NDArray[np.float64], x_nm: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Phases on any grid of face coordinates, (k,), (h,), (w,) nm -> (k, h, w) uint8.

        True where the porous sample is: below the protective layer and left of the wall.
        """
        return phases_at(self.structure, z_nm, y_nm, x_nm)


def require_outside(truth: Path, project: Path) -> None:
    """Raise ConfigurationError if a truth file would lie in the folder that the daemon watches."""
    if truth.resolve().is_relative_to(project.resolve()):
        raise ConfigurationError(
            "the truth may not lie inside the project folder, where the daemon could see it",
            where=str(truth),
            remedy="Give a path beside the project folder.",
        )


def save_truth(scene: Scene, path: Path) -> None:
    """Write the truth of a run.

    Raises
    ------
    ConfigurationError
        The file cannot be written.
    """
    settings, plan = scene.settings, scene.plan
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            arrays: dict[str, Any] = structure_arrays(scene.structure)
            np.savez_compressed(
                file,
                schema=SCHEMA,
                depths_nm=plan.depths_nm,
                shifts_px=plan.shifts_px,
                surface_shifts_px=plan.surface_shifts_px,
                reported_nm=plan.reported_nm,
                channel_names=np.array(settings.channel_names),
                roi=np.array(scene.layout.roi),
                pixel_nm=np.array([pixel_y_nm(settings), settings.pixel_size_nm]),
                **arrays,
                settings=np.array(json.dumps(dataclasses.asdict(settings))),
            )
    except OSError as error:
        raise ConfigurationError(
            f"the truth cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Give a path in a folder that can be written.",
        ) from error


def load_truth(path: Path) -> Truth:
    """Read and check a truth file.

    Raises
    ------
    ConfigurationError
        The file is missing, is no truth file, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            truth = _assembled({name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"this is no truth of an emulated run: {error}",
            where=str(path),
            remedy="Give the file that `slicewatch emulate --truth` wrote.",
        ) from error
    return truth


def _assembled(arrays: Mapping[str, NDArray[np.generic]]) -> Truth:
    """The record of a truth file's arrays; ValueError where they contradict each other."""
    if int(arrays["schema"]) != SCHEMA:
        raise ValueError(f"schema {arrays['schema']}, this version reads {SCHEMA}")
    names = tuple(str(name) for name in arrays["channel_names"])
    count = len(arrays["depths_nm"])
    expected = {
        "shifts_px": (count, len(names), 2),
        "surface_shifts_px": (count, len(names), 2),
        "reported_nm": (count,),
        "roi": (4,),
        "pixel_nm": (2,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape} and not {shape}")
    x, y, width, height = (int(value) for value in arrays["roi"])
    return Truth(
        _floats(arrays, "depths_nm"),
        _floats(arrays, "shifts_px"),
        _floats(arrays, "surface_shifts_px"),
        _floats(arrays, "reported_nm"),
        names,
        (x, y, width, height),
        float(_floats(arrays, "pixel_nm")[1]),
        float(_floats(arrays, "pixel_nm")[0]),
        structure_of(arrays),
        json.loads(str(arrays["settings"])),
    )


def _floats(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.float64]:
    return np.asarray(arrays[name], dtype=np.float64)
