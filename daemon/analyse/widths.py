"""How wide a phase is everywhere: radii of balls that fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.balls import fitting_levels, is_cut_off, largest_radius, radii_up_to
from algorithms.derived_volume import phase_of
from algorithms.slabs import WritableVolume
from daemon.analyse.site import Ground, Site


@dataclass(frozen=True, slots=True)
class Widths:
    """``radii`` in voxels, and ``levels`` uint8: how many of them fit at each voxel."""

    radii: tuple[float, ...]
    levels: WritableVolume

    @property
    def are_cut_off(self) -> bool:
        """Whether wider balls fit than were looked for; they count as the widest of the radii."""
        return is_cut_off(self.radii)


def measure_widths(ground: Ground, phase: int, site: Site) -> Widths:
    """The radii of one phase, half a voxel apart up to its widest place."""
    inside, levels = phase_of(ground.labels, phase), site.scratch.volume(np.uint8)
    with site.steps.step(f"widths of phase {phase}", 10 * site.voxels) as told:
        radii = radii_up_to(largest_radius(inside, site.effort.size, told))
        fitting_levels(inside, levels, radii, site.effort.size, told)
    return Widths(radii, levels)
