"""Voxel volumes of levelled-wave networks, periodic, with exactly the solid fraction that was asked for.

A network is periodic on a box of the volume's longest side, so a cube is periodic itself. The level is cut at
the quantile of the voxels' own values: the solid fraction is right to one voxel, in a small volume too.
:mod:`algorithms.structures` explains the model and cuts networks without voxels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from algorithms.inscribed_balls import mean_local_thickness
from algorithms.structures import (
    SAMPLES_PER_WAVELENGTH,
    WaveField,
    field_at,
    level_cut,
    levelled_wave_field,
    wavelength_nm,
)

Shape = tuple[int, int, int]
SMALLEST_LIGAMENT_VOXELS = 2.0
THICKNESS_WAVES, THICKNESS_VOXELS = 7.0, 10.0
"""The cube in which thickness is measured: wavelengths along its edge, and voxels to one of them."""


@dataclass(frozen=True, slots=True)
class Level:
    """A periodic network: its field and wavelength, the mean ligament diameter (local thickness) and the
    solid fraction that were asked for."""

    field: WaveField
    wave_nm: float
    ligament_nm: float
    solid_fraction: float


def periodic_field(box_nm: float, wave_nm: float, rng: np.random.Generator) -> WaveField:
    """A field of this wavelength whose period is the box. Raises ValueError if the wave is longer."""
    # The shell around the wave's mode is half a mode thick on either side: one more sample keeps it whole.
    size = int(np.ceil(SAMPLES_PER_WAVELENGTH * box_nm / wave_nm)) + 2
    return levelled_wave_field(size, box_nm / size, wave_nm, rng)


def field_volume(field: WaveField, shape: Shape, voxel_nm: float) -> NDArray[np.float32]:
    """The field at the centres of the voxels: float32 (z, y, x)."""
    return field_at(field, *(voxel_centres_nm(side, voxel_nm) for side in shape))


def draw_level(box_nm: float, ligament_nm: float, solid_fraction: float, rng: np.random.Generator) -> Level:
    """A network of this mean ligament diameter (local thickness) whose period is the box.

    Raises ValueError if its wave does not fit the box.
    """
    wave_nm = wavelength_nm(ligament_nm, solid_fraction)
    return Level(periodic_field(box_nm, wave_nm, rng), wave_nm, ligament_nm, solid_fraction)


def wave_volume(level: Level, shape: Shape, voxel_nm: float) -> NDArray[np.uint8]:
    """A single network: uint8 (z, y, x), 1 = solid. Raises ValueError for voxels too large to show it."""
    values = _shown(level, shape, voxel_nm)
    return (values > upper_quantile(values, level.solid_fraction)).astype(np.uint8)


def hierarchical_volume(coarse: Level, fine: Level, shape: Shape, voxel_nm: float) -> NDArray[np.uint8]:
    """A coarse network whose ligaments are a fine one: uint8 (z, y, x). Raises as :func:`wave_volume`."""
    solid = wave_volume(coarse, shape, voxel_nm)
    values = _shown(fine, shape, voxel_nm)
    solid_fraction = coarse.solid_fraction * fine.solid_fraction
    inside = values[solid == 1]
    cut = upper_quantile(inside, solid_fraction * solid.size / inside.size)
    return solid & (values > cut).astype(np.uint8)


def level_thickness_nm(level: Level) -> float:
    """Mean local thickness of a level by itself, measured with inscribed balls in a cube of its field."""
    period_nm = len(level.field.values) * level.field.spacing_nm
    step_nm = level.wave_nm / THICKNESS_VOXELS
    side = int(min(THICKNESS_WAVES * level.wave_nm, period_nm) / step_nm)
    values = field_volume(level.field, (side, side, side), step_nm)
    return mean_local_thickness(values, level_cut(level.field, level.solid_fraction), 6) * step_nm


def voxel_centres_nm(count: int, voxel_nm: float) -> NDArray[np.float64]:
    """(½, 1½, …)·voxel, float64 (count,)."""
    return (np.arange(count, dtype=np.float64) + 0.5) * voxel_nm


def upper_quantile(values: NDArray[np.float32], share: float) -> float:
    """The value that this share of the values exceeds, to one of them."""
    flat = values.ravel()
    kept = min(max(round(share * flat.size), 0), flat.size - 1)
    return float(np.partition(flat, flat.size - kept - 1)[flat.size - kept - 1])


def stereological_diameter_nm(wave_nm: float, solid_fraction: float) -> float:
    """4 V/S of an infinite levelled-wave network, √3·φ·λ·exp(u²/2) with the level u cut at φ.

    S/V is twice the mean number of crossings per length of a Gaussian field, (k/√3)/π·exp(−u²/2) (S. O. Rice,
    Bell Syst. Tech. J. 24, 46 (1945), eq. 3.3-13).
    """
    level = float(ndtri(1 - solid_fraction))
    return float(np.sqrt(3)) * solid_fraction * wave_nm * float(np.exp(level**2 / 2))


def _shown(level: Level, shape: Shape, voxel_nm: float) -> NDArray[np.float32]:
    if level.ligament_nm < SMALLEST_LIGAMENT_VOXELS * voxel_nm:
        raise ValueError(
            f"ligaments of {level.ligament_nm:g} nm in voxels of {voxel_nm:g} nm: "
            f"a ligament takes {SMALLEST_LIGAMENT_VOXELS:g} voxels or more; use smaller voxels"
        )
    return field_volume(level.field, shape, voxel_nm)
