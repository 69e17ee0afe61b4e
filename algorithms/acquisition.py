"""A virtual tomography: faces of a structure at given depths, photographed at several voltages.

Face coordinates are (index + origin)·pixel in nm, depth grows into the sample; a truth label is the phase at
the pixel's centre on the face itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.depth_response import DepthResponse, formula_response
from algorithms.electrons import layer_depths_nm
from algorithms.imaging import backscatter_image
from algorithms.instrument import Conditions, Instrument, curtain_profiles, expose, wandering
from algorithms.structures import HierarchicalStructure, solid_at

WANDER_SLICES = 30.0
"""Brightness and contrast forget their value within so many slices: hours, at published slice times."""


@dataclass(frozen=True, slots=True)
class FaceGrid:
    """Pixels of a face: index i lies at (i + origin)·pixel nm, along y and along x."""

    height: int
    width: int
    pixel_x_nm: float
    pixel_y_nm: float
    origin_y_px: float = 0.0
    origin_x_px: float = 0.0

    @property
    def y_nm(self) -> NDArray[np.float64]:
        """Rows, float64 (height,)."""
        return (np.arange(self.height, dtype=np.float64) + self.origin_y_px) * self.pixel_y_nm

    @property
    def x_nm(self) -> NDArray[np.float64]:
        """Columns, float64 (width,)."""
        return (np.arange(self.width, dtype=np.float64) + self.origin_x_px) * self.pixel_x_nm


def true_labels(structure: HierarchicalStructure, depth_nm: float, grid: FaceGrid) -> NDArray[np.uint8]:
    """Phases on the face: uint8 (height, width), 1 = solid."""
    return solid_at(structure, np.array([depth_nm]), grid.y_nm, grid.x_nm)[0]


def clean_face(
    structure: HierarchicalStructure,
    depth_nm: float,
    grid: FaceGrid,
    voltage_kv: float,
    response: DepthResponse | None = None,
) -> NDArray[np.float32]:
    """The noise-free backscatter signal of the face at this depth: float32 (height, width), in [0, 1].

    Without a ``response`` it is that of the formulas.
    """
    depths_nm = layer_depths_nm(voltage_kv)
    layers = solid_at(structure, depth_nm + depths_nm, grid.y_nm, grid.x_nm)
    return backscatter_image(layers, depths_nm, voltage_kv, (grid.pixel_y_nm, grid.pixel_x_nm), response)


def clean_faces(
    structure: HierarchicalStructure,
    depth_nm: float,
    grid: FaceGrid,
    voltages_kv: Sequence[float],
    responses: Sequence[DepthResponse] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The same at several voltages, which share the cut of the structure: float32 (channel, height, width),
    and the labels of the face, uint8 (height, width)."""
    responses = responses or [formula_response(voltage) for voltage in voltages_kv]
    depths_nm = layer_depths_nm(max(voltages_kv))
    layers = solid_at(structure, depth_nm + depths_nm, grid.y_nm, grid.x_nm)
    pixel_nm = (grid.pixel_y_nm, grid.pixel_x_nm)
    counts = [len(layer_depths_nm(voltage)) for voltage in voltages_kv]
    faces = [
        backscatter_image(layers[:count], depths_nm[:count], voltage, pixel_nm, response)
        for count, voltage, response in zip(counts, voltages_kv, responses, strict=True)
    ]
    return np.stack(faces), layers[0]


def gamma_depths_nm(
    count: int, mean_nm: float, sigma_nm: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Depths (count,) of successive faces, the first at 0, with gamma-distributed thicknesses between them.

    Shape (mean/σ)² and scale σ²/mean, as fitted to measured slices of a milled tomography.
    """
    thickness_nm = rng.gamma((mean_nm / sigma_nm) ** 2, sigma_nm**2 / mean_nm, size=count - 1)
    return np.concatenate(([0.0], np.cumsum(thickness_nm)))


def run_conditions(
    depths_nm: NDArray[np.float64], channels: int, width: int, rng: np.random.Generator
) -> list[list[Conditions]]:
    """Conditions [slice][channel] of a run: curtains that come and go with depth, common to the channels of a
    face, and brightness and contrast that wander in each channel."""
    curtains = curtain_profiles(depths_nm, width, rng)
    wander = [wandering(len(depths_nm), WANDER_SLICES, rng) for _ in range(2 * channels)]
    return [
        [Conditions(face, float(wander[2 * c][i]), float(wander[2 * c + 1][i])) for c in range(channels)]
        for i, face in enumerate(curtains)
    ]


def render_stack(
    structure: HierarchicalStructure,
    depths_nm: NDArray[np.float64],
    grid: FaceGrid,
    voltages_kv: Sequence[float],
    instruments: Sequence[Instrument],
    rng: np.random.Generator,
    responses: Sequence[DepthResponse] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A tomography: images uint8 (slice, channel, y, x) and labels uint8 (slice, y, x).

    One instrument per voltage, of 8 bits; all slices and channels are aligned. Without ``responses`` the
    formulas' are used. Raises ValueError if they
    do not match or record more than 8 bits. Three voltages of 384×512 take 0.26 s (one core of an AMD EPYC,
    November 2026).
    """
    if len(instruments) != len(voltages_kv) or any(instrument.bits != 8 for instrument in instruments):
        raise ValueError(
            f"{len(instruments)} instruments for {len(voltages_kv)} voltages: give one of 8 bits per voltage"
        )
    images = np.empty((len(depths_nm), len(voltages_kv), grid.height, grid.width), dtype=np.uint8)
    labels = np.empty((len(depths_nm), grid.height, grid.width), dtype=np.uint8)
    conditions = run_conditions(depths_nm, len(voltages_kv), grid.width, rng)
    for i, depth_nm in enumerate(depths_nm):
        faces, labels[i] = clean_faces(structure, float(depth_nm), grid, voltages_kv, responses)
        for c, (face, instrument) in enumerate(zip(faces, instruments, strict=True)):
            images[i, c] = expose(face, instrument, rng, conditions[i][c])
    return images, labels
