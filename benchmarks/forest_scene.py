"""The emulated electrode that the ``forest`` benchmark segments: a stack, its labels, and a view of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid
from algorithms.electrode import ElectrodeStructure, electrode_structure
from algorithms.electrode_imaging import render_electrode
from algorithms.sparse_labels import draw_strokes
from models.forest_features import ADJACENT_SLICES

PIXEL_NM = 10.0
INSIDE_SHARE = 0.5
"""Half the side of the square inside a particle, over its radius: its corners stay 0.29 radii below the
surface."""


@dataclass(frozen=True, slots=True)
class SceneSize:
    """Slices of 10 nm, height and width in px, and the labels: slices between strokes, strokes per phase."""

    slices: int
    height: int
    width: int
    every: int
    strokes: int


FULL = SceneSize(slices=130, height=320, width=448, every=4, strokes=16)
QUICK = SceneSize(slices=86, height=160, width=240, every=1, strokes=10)


@dataclass(frozen=True, slots=True, eq=False)
class ElectrodeScene:
    """``images`` uint8 (slice, detector, y, x), ``truth`` (y, x) of the slice ``judged``, sparse labels of
    others, and the part ``inside`` of a particle."""

    images: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    judged: int
    strokes: list[tuple[int, NDArray[np.uint8]]]
    inside: tuple[slice, slice]

    @property
    def judged_window(self) -> NDArray[np.uint8]:
        """(detector, slice, y, x) around the judged slice."""
        half = ADJACENT_SLICES // 2
        return np.ascontiguousarray(self.images[self.judged - half : self.judged + half + 1].swapaxes(0, 1))


def electrode_scene(size: SceneSize, seed: int) -> ElectrodeScene:
    """A stack whose middle slice goes through the middle of its largest particle."""
    rng = np.random.default_rng(seed)
    structure = electrode_structure(rng)
    judged = size.slices // 2
    grid, first_nm, inside = _view(structure, size, judged)
    depths_nm = first_nm + PIXEL_NM * np.arange(size.slices, dtype=np.float64)
    images, truth = render_electrode(structure, depths_nm, grid, rng)
    half = ADJACENT_SLICES // 2
    annotated = range(half, size.slices - half, size.every)
    strokes = [(index, draw_strokes(truth[index], size.strokes, 3, rng)) for index in annotated]
    return ElectrodeScene(images, truth[judged], judged, strokes, inside)


def _view(
    structure: ElectrodeStructure, size: SceneSize, judged: int
) -> tuple[FaceGrid, float, tuple[slice, slice]]:
    """The grid, the depth of the first slice, and what of the square inside the particle is seen.

    The particle ends in the middle of the picture, so that there is as much between particles as in them.
    """
    largest = int(np.argmax(structure.particles.radii))
    z_nm, y_nm, x_nm = structure.particles.centres[largest]
    radius_px = float(structure.particles.radii[largest]) / PIXEL_NM
    row, column = size.height // 2, size.width // 2 - round(radius_px)
    grid = FaceGrid(
        size.height, size.width, PIXEL_NM, PIXEL_NM, y_nm / PIXEL_NM - row, x_nm / PIXEL_NM - column
    )
    reach = round(INSIDE_SHARE * radius_px)
    rows = slice(max(row - reach, 0), row + reach)
    return grid, z_nm - judged * PIXEL_NM, (rows, slice(max(column - reach, 0), column + reach))
