"""Voxel volumes made of particles: packed spheres, and the three phases of a battery electrode."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.network_volumes import Level, Shape, draw_level, field_volume, upper_quantile
from algorithms.sphere_packing import inside_depths, pack_spheres

PORE, ACTIVE, BINDER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ElectrodeDesign:
    """Secondary particles of active material with pores inside, in a porous matrix of carbon and binder.

    Shares are of the whole volume for ``particle_fraction`` (pores inside included), of the particles for
    ``inner_porosity``, of what lies between them for ``matrix_fraction`` (binder). Sizes in nm: of particles
    (with their relative spread), of pores inside (mean local thickness) and of the binder's strands.
    """

    particle_fraction: float = 0.5
    particle_nm: float = 2500.0
    particle_spread: float = 0.15
    inner_porosity: float = 0.1
    inner_pore_nm: float = 150.0
    matrix_fraction: float = 0.45
    matrix_strand_nm: float = 120.0

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Pore, active material and binder, of the volume."""
        active = self.particle_fraction * (1 - self.inner_porosity)
        binder = (1 - self.particle_fraction) * self.matrix_fraction
        return 1 - active - binder, active, binder


def sphere_volume(
    shape: Shape, voxel_nm: float, diameter_nm: float, solid_fraction: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Equal spheres: uint8 (z, y, x), 1 = solid, periodic; the fraction is right to one voxel.

    Raises ValueError if they do not fit (:func:`pack_spheres`).
    """
    box = np.asarray(shape, dtype=np.float64) * voxel_nm
    depth, _ = inside_depths(pack_spheres(box, diameter_nm, solid_fraction, rng), shape)
    return (depth > upper_quantile(depth, solid_fraction)).astype(np.uint8)


def draw_electrode_levels(
    box_nm: float, design: ElectrodeDesign, rng: np.random.Generator
) -> tuple[Level, Level]:
    """The networks of pores inside particles and of binder between them. Raises as :func:`draw_level`."""
    pores = draw_level(box_nm, design.inner_pore_nm, design.inner_porosity, rng)
    return pores, draw_level(box_nm, design.matrix_strand_nm, design.matrix_fraction, rng)


def electrode_volume(
    shape: Shape,
    voxel_nm: float,
    design: ElectrodeDesign,
    levels: tuple[Level, Level],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Phases 0 pore, 1 active material, 2 binder: uint8 (z, y, x); every share is right to a few voxels.

    Raises ValueError if the particles do not fit the volume.
    """
    box = np.asarray(shape, dtype=np.float64) * voxel_nm
    fraction, spread = design.particle_fraction, design.particle_spread
    depth, _ = inside_depths(pack_spheres(box, design.particle_nm, fraction, rng, spread=spread), shape)
    in_particle = depth > upper_quantile(depth, fraction)
    pores, strands = (field_volume(level.field, shape, voxel_nm) for level in levels)
    phases = np.zeros(shape, dtype=np.uint8)
    phases[in_particle & ~_largest(pores, in_particle, design.inner_porosity)] = ACTIVE
    phases[_largest(strands, ~in_particle, design.matrix_fraction)] = BINDER
    return phases


def _largest(values: NDArray[np.float32], where: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """The share of the voxels in ``where`` with the largest values."""
    return where & (values > upper_quantile(values[where], share))
