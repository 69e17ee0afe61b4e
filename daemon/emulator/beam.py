"""How the emulated beam sees the sample: by formula, by learned depth response, or electron by electron."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid, clean_face
from algorithms.electrons import EPOXY, electron_range_nm
from algorithms.structures import HierarchicalStructure, solid_at
from daemon.operating_system import usable_cores
from daemon.picture import Picture

Signal = NDArray[np.float32]
SEEN_SHARE: Final = 0.6
"""Of the range in epoxy: what is deeper sends nothing back."""
ROUNDING: Final = 1e-9
"""Of a voxel: a whole number of them stays one."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A face to photograph: at a depth, on a grid of pixels, at a voltage.

    Of a Monte Carlo image: ``key`` seeds its electrons, ``electrons`` of them are sent at every pixel, and
    the sample is cut into cubes, ``voxels_per_pixel`` of them across a pixel.
    """

    structure: HierarchicalStructure
    depth_nm: float
    grid: FaceGrid
    voltage_kv: float
    key: tuple[int, ...]
    electrons: int
    voxels_per_pixel: int = 1


def photograph_face(picture: Picture, shot: Shot) -> Signal:
    """Backscattered electrons per incident electron: float32 (height, width)."""
    return _PICTURES[picture](shot)


def _by_formula(shot: Shot) -> Signal:
    return clean_face(shot.structure, shot.depth_nm, shot.grid, shot.voltage_kv)


def _by_network(shot: Shot) -> Signal:
    from models.backscatter import network_response

    response = network_response(shot.voltage_kv)
    return clean_face(shot.structure, shot.depth_nm, shot.grid, shot.voltage_kv, response)


def _by_monte_carlo(shot: Shot) -> Signal:
    """Needs Warp."""
    from algorithms.electron_transport.cells import pack_cells
    from algorithms.electron_transport.exposure import (
        Beam,
        Raster,
        best_device,
        count_detected,
        load_sample,
    )
    from algorithms.electron_transport.materials import EPOXY as RESIN
    from algorithms.electron_transport.materials import GOLD

    grid = shot.grid
    cells = pack_cells(voxels_below(shot))
    sample = load_sample(cells, _edge_nm(shot), [RESIN, GOLD], best_device())
    raster = Raster(grid.height, grid.width, grid.pixel_y_nm, grid.pixel_x_nm, shot.electrons)
    threads = usable_cores()
    counts = count_detected(sample, Beam(shot.voltage_kv), raster, shot.key, threads=threads)
    return (counts / shot.electrons).astype(np.float32)


def voxels_below(shot: Shot) -> NDArray[np.uint8]:
    """Cubic voxels (z, y, x) below the face; pixel (i, j) is hit at ((i + ½), (j + ½)) pixels in them.

    Each has the phase of the middle of its upper side: that of the uppermost is what lies on the face.
    """
    grid, edge_nm = shot.grid, _edge_nm(shot)
    deep = int(np.ceil(SEEN_SHARE * electron_range_nm(EPOXY, shot.voltage_kv) / edge_nm))
    z_nm = shot.depth_nm + np.arange(deep, dtype=np.float64) * edge_nm
    y_nm = _middles_nm(grid.y_nm, grid.pixel_y_nm, edge_nm)
    return solid_at(shot.structure, z_nm, y_nm, _middles_nm(grid.x_nm, grid.pixel_x_nm, edge_nm))


def _edge_nm(shot: Shot) -> float:
    return shot.grid.pixel_x_nm / shot.voxels_per_pixel


def _middles_nm(pixels_nm: NDArray[np.float64], pixel_nm: float, edge_nm: float) -> NDArray[np.float64]:
    """Of the voxels that cover these pixels along one axis."""
    count = int(np.ceil(len(pixels_nm) * pixel_nm / edge_nm - ROUNDING))
    return pixels_nm[0] - pixel_nm / 2 + (np.arange(count, dtype=np.float64) + 0.5) * edge_nm


_PICTURES: Final[Mapping[Picture, Callable[[Shot], Signal]]] = {
    Picture.FORMULA: _by_formula,
    Picture.NETWORK: _by_network,
    Picture.MONTE_CARLO: _by_monte_carlo,
}
