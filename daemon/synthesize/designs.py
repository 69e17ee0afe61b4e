"""The structures that can be asked for, and how each becomes voxels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.network_volumes import (
    Level,
    Shape,
    draw_level,
    hierarchical_volume,
    level_thickness_nm,
    stereological_diameter_nm,
    wave_volume,
)
from algorithms.particle_volumes import (
    ElectrodeDesign,
    draw_electrode_levels,
    electrode_volume,
    sphere_volume,
)
from daemon.errors import ConfigurationError
from daemon.synthesize.options import StructureKind as Kind

FEWEST_VOXELS = 16
"""Along an axis: curves and cubes of a quarter of it are measured."""
MOST_VOXELS = 2**31
"""Fields of 4 bytes each are held in memory, several at a time."""


@dataclass(frozen=True, slots=True)
class Design:
    """A sample asked for: its kind, voxels (z, y, x) and their size, the solid fraction, sizes in nm.

    ``sizes_nm``: of the ligaments of a levelled wave (1), of a hierarchical network (coarse, fine), of the
    spheres (1); of an electrode: its particles, their inner pores and the binder's strands (3).
    ``solid_fraction`` of an electrode is that of its particles, inner pores included.
    """

    kind: Kind
    shape: Shape
    voxel_nm: float
    solid_fraction: float
    sizes_nm: tuple[float, ...]
    seed: int

    def __post_init__(self) -> None:
        wanted = len(DEFAULT_SIZES_NM[self.kind])
        lengths_nm = (*self.sizes_nm, self.voxel_nm)
        if min(self.shape) < FEWEST_VOXELS or math.prod(self.shape) > MOST_VOXELS:
            raise ConfigurationError(
                f"{' × '.join(map(str, self.shape))} voxels",
                where="slicewatch synthesize structure",
                remedy=f"Give {FEWEST_VOXELS} voxels or more along each axis of --size, and at most "
                f"{MOST_VOXELS:.0e} of them: a larger --voxel makes a larger sample.",
            )
        if len(self.sizes_nm) != wanted or not all(0 < length < math.inf for length in lengths_nm):
            raise ConfigurationError(
                f"sizes {self.sizes_nm} nm in voxels of {self.voxel_nm:g} nm for a {self.kind} structure",
                where="slicewatch synthesize structure",
                remedy=f"Give {wanted} positive size(s), as in {DEFAULT_SIZES_NM[self.kind]}.",
            )


DEFAULT_SIZES_NM: Mapping[Kind, tuple[float, ...]] = {
    Kind.LEVELLED_WAVE: (50.0,),
    Kind.HIERARCHICAL: (110.0, 15.0),
    Kind.SPHERES: (250.0,),
    Kind.ELECTRODE: (2500.0, 150.0, 120.0),
}
DEFAULT_FRACTIONS: Mapping[Kind, float] = {
    Kind.LEVELLED_WAVE: 0.3,
    Kind.HIERARCHICAL: 0.125,
    Kind.SPHERES: 0.5,
    Kind.ELECTRODE: 0.5,
}
DEFAULT_VOXELS_NM: Mapping[Kind, float] = {
    Kind.LEVELLED_WAVE: 5.0,
    Kind.HIERARCHICAL: 2.5,
    Kind.SPHERES: 10.0,
    Kind.ELECTRODE: 25.0,
}


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """Voxels of a design, uint8 (z, y, x); its networks by name; the shares of its phases as asked for."""

    design: Design
    phases: NDArray[np.uint8]
    fractions: tuple[float, ...]
    levels: Mapping[str, Level] = field(default_factory=dict[str, Level])


def make_specimen(design: Design) -> Specimen:
    """Voxels of a design; the same design gives the same bytes.

    Raises
    ------
    ConfigurationError
        The sizes do not fit the voxels or the volume, or the solid fraction cannot be reached.
    """
    rng = np.random.default_rng(design.seed)
    try:
        return _MAKERS[design.kind](design, rng)
    except ValueError as error:
        raise ConfigurationError(
            str(error), where=f"{design.kind} structure", remedy="Change --size, --voxel or the sizes."
        ) from error


def level_figures(specimen: Specimen) -> list[dict[str, Any]]:
    """Ligaments of every network by itself, in nm: asked for, measured by inscribed balls; and what 4 V/S of
    an infinite one would be.

    Raises
    ------
    ConfigurationError
        The volume is too small for a ball of a network.
    """
    return [
        {
            "network": name,
            "asked_nm": level.ligament_nm,
            "obtained_nm": _thickness_nm(name, level),
            "solid_fraction": level.solid_fraction,
            "wavelength_nm": level.wave_nm,
            "expected_4v_over_s_nm": stereological_diameter_nm(level.wave_nm, level.solid_fraction),
        }
        for name, level in specimen.levels.items()
    ]


def _thickness_nm(name: str, level: Level) -> float:
    try:
        return level_thickness_nm(level)
    except ValueError as error:
        raise ConfigurationError(
            f"{level.ligament_nm:g} nm: {error}", where=name, remedy="Ask for a larger --size or --voxel."
        ) from error


def _box_nm(design: Design) -> float:
    return max(design.shape) * design.voxel_nm


def _levelled_wave(design: Design, rng: np.random.Generator) -> Specimen:
    level = draw_level(_box_nm(design), design.sizes_nm[0], design.solid_fraction, rng)
    phases = wave_volume(level, design.shape, design.voxel_nm)
    return Specimen(design, phases, _two(design.solid_fraction), {"ligaments": level})


def _hierarchical(design: Design, rng: np.random.Generator) -> Specimen:
    level_fraction = float(np.sqrt(design.solid_fraction))
    coarse, fine = (draw_level(_box_nm(design), size, level_fraction, rng) for size in design.sizes_nm)
    phases = hierarchical_volume(coarse, fine, design.shape, design.voxel_nm)
    return Specimen(design, phases, _two(design.solid_fraction), {"coarse": coarse, "fine": fine})


def _spheres(design: Design, rng: np.random.Generator) -> Specimen:
    phases = sphere_volume(design.shape, design.voxel_nm, design.sizes_nm[0], design.solid_fraction, rng)
    return Specimen(design, phases, _two(design.solid_fraction))


def _electrode(design: Design, rng: np.random.Generator) -> Specimen:
    particle_nm, pore_nm, strand_nm = design.sizes_nm
    asked = ElectrodeDesign(
        particle_fraction=design.solid_fraction,
        particle_nm=particle_nm,
        inner_pore_nm=pore_nm,
        matrix_strand_nm=strand_nm,
    )
    levels = draw_electrode_levels(_box_nm(design), asked, rng)
    phases = electrode_volume(design.shape, design.voxel_nm, asked, levels, rng)
    names = ("inner pores", "binder strands")
    return Specimen(design, phases, asked.fractions, dict(zip(names, levels, strict=True)))


def _two(solid_fraction: float) -> tuple[float, float]:
    return 1 - solid_fraction, solid_fraction


_MAKERS = {
    Kind.LEVELLED_WAVE: _levelled_wave,
    Kind.HIERARCHICAL: _hierarchical,
    Kind.SPHERES: _spheres,
    Kind.ELECTRODE: _electrode,
}
