"""A battery electrode that can be cut anywhere: porous particles of active material in a web of carbon.

Particles are packed spheres, pores inside them and strands between them are levelled-wave fields
(:mod:`algorithms.structures`), so the sample is a function of the coordinates and not a box of voxels. Its
pores are empty: what a face shows in them lies behind it (:mod:`algorithms.topography`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.particle_volumes import ACTIVE, BINDER, PORE, ElectrodeDesign
from algorithms.sphere_packing import Packing, pack_spheres
from algorithms.structures import (
    SAMPLES_PER_WAVELENGTH,
    WaveField,
    field_planes,
    level_cut,
    levelled_wave_field,
    wavelength_nm,
)

Floats = NDArray[np.floating]
Coordinates = NDArray[np.float64]
BOX_IN_PARTICLES = 3.0
"""Period of the packing, in mean particle diameters."""
OUTSIDE_NM = 200.0
"""Farther outside of a particle nothing asks how far."""
FIELD_SIZE = 72
"""Samples along the period of a wave field: 30 wavelengths."""
GRAIN_WAVE_NM = 700.0
"""Primary particles of half a wavelength across differ in orientation, and so in brightness."""
FILM_WAVE_NM = 900.0
FILM_SHARE = 0.2
"""Of the ground of open pores, covered with what the mill has thrown back."""
PUBLISHED_DESIGN = ElectrodeDesign(
    particle_fraction=0.5,
    particle_nm=3000.0,
    inner_porosity=0.34,
    inner_pore_nm=170.0,
    matrix_fraction=0.16,
    matrix_strand_nm=110.0,
)
"""After the cathode of the multi-signal paper (volume fraction of a particle 0.66, bottlenecks of 80 to 100
nm, sparse carbon), with particles of half the diameter, so that an image of 5 µm holds some."""


@dataclass(frozen=True, slots=True, eq=False)
class ElectrodeStructure:
    """Where the particles are, and the fields of pores inside and strands between them with their cuts.

    ``grains`` is how much brighter a place of the active material is than its mean, in standard deviations;
    redeposited material covers the ground of pores where ``film`` exceeds its cut.
    """

    particles: Packing
    pores: WaveField
    strands: WaveField
    grains: WaveField
    film: WaveField
    pore_cut: float
    strand_cut: float
    film_cut: float
    pore_wave_nm: float
    strand_wave_nm: float


@dataclass(frozen=True, slots=True, eq=False)
class ElectrodePlane:
    """One plane of the sample: about how deep a point lies in the solid, nm (negative: in a pore), and how
    deep in a particle (negative: between them); float32 (h, w)."""

    solid_nm: Floats
    particle_nm: Floats


def electrode_structure(
    rng: np.random.Generator, design: ElectrodeDesign = PUBLISHED_DESIGN
) -> ElectrodeStructure:
    """A sample of this design; raises ValueError if it cannot be packed."""
    edge_nm = BOX_IN_PARTICLES * design.particle_nm
    box = np.full(3, edge_nm)
    packing = pack_spheres(
        box, design.particle_nm, design.particle_fraction, rng, spread=design.particle_spread
    )
    pore_wave = wavelength_nm(design.inner_pore_nm, design.inner_porosity)
    strand_wave = wavelength_nm(design.matrix_strand_nm, design.matrix_fraction)
    pores, strands, grains, film = (
        levelled_wave_field(FIELD_SIZE, wave / SAMPLES_PER_WAVELENGTH, wave, rng)
        for wave in (pore_wave, strand_wave, GRAIN_WAVE_NM, FILM_WAVE_NM)
    )
    return ElectrodeStructure(
        packing,
        pores,
        strands,
        grains,
        film,
        level_cut(pores, design.inner_porosity),
        level_cut(strands, design.matrix_fraction),
        level_cut(film, FILM_SHARE),
        pore_wave,
        strand_wave,
    )


def electrode_planes(
    structure: ElectrodeStructure, z_nm: Coordinates, y_nm: Coordinates, x_nm: Coordinates
) -> Iterator[ElectrodePlane]:
    """The planes at depths (k,) on the grid of (h,) and (w,) coordinates, nm, one at a time."""
    pores = field_planes(structure.pores, z_nm, y_nm, x_nm)
    strands = field_planes(structure.strands, z_nm, y_nm, x_nm)
    # Beside its cut a wave of unit variance changes by about 2π/λ per unit of length.
    pore_nm, strand_nm = structure.pore_wave_nm / (2 * np.pi), structure.strand_wave_nm / (2 * np.pi)
    for depth_nm, pore, strand in zip(z_nm, pores, strands, strict=True):
        particle = _particle_depth(structure.particles, float(depth_nm), y_nm, x_nm)
        active = np.minimum(particle, np.float32(pore_nm) * (np.float32(structure.pore_cut) - pore))
        binder = np.minimum(-particle, np.float32(strand_nm) * (strand - np.float32(structure.strand_cut)))
        yield ElectrodePlane(np.maximum(active, binder), particle)


def phases_of(plane: ElectrodePlane) -> NDArray[np.uint8]:
    """0 pore, 1 active material, 2 carbon and binder: uint8 (h, w)."""
    solid = np.where(plane.particle_nm > 0, np.uint8(ACTIVE), np.uint8(BINDER))
    return np.where(plane.solid_nm > 0, solid, np.uint8(PORE))


def electrode_at(
    structure: ElectrodeStructure, z_nm: Coordinates, y_nm: Coordinates, x_nm: Coordinates
) -> NDArray[np.uint8]:
    """Phases on the tensor grid of any coordinates: (k,), (h,), (w,) in nm -> uint8 (k, h, w)."""
    return np.stack([phases_of(plane) for plane in electrode_planes(structure, z_nm, y_nm, x_nm)])


def _particle_depth(packing: Packing, z_nm: float, y_nm: Coordinates, x_nm: Coordinates) -> Floats:
    """Depth below the nearest particle's surface, nm, -OUTSIDE_NM farther outside: float32 (h, w)."""
    depth = np.full((len(y_nm), len(x_nm)), -OUTSIDE_NM, dtype=np.float32)
    for (cz, cy, cx), radius in zip(packing.centres, packing.radii, strict=True):
        away = float(_nearest_image(np.array([z_nm]) - cz, packing.box[0])[0])
        reach = radius + OUTSIDE_NM
        if abs(away) >= reach:
            continue
        half = np.sqrt(reach**2 - away**2)
        dy, dx = _nearest_image(y_nm - cy, packing.box[1]), _nearest_image(x_nm - cx, packing.box[2])
        rows, columns = np.flatnonzero(np.abs(dy) < half), np.flatnonzero(np.abs(dx) < half)
        if not rows.size or not columns.size:
            continue
        square = np.add.outer(away**2 + dy[rows] ** 2, dx[columns] ** 2).astype(np.float32)
        where = np.ix_(rows, columns)
        depth[where] = np.maximum(depth[where], np.float32(radius) - np.sqrt(square))
    return depth


def _nearest_image(distance_nm: Coordinates, period_nm: float) -> Coordinates:
    return distance_nm - period_nm * np.round(distance_nm / period_nm)
