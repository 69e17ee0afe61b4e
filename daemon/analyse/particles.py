"""Sizes of particles: pieces of a phase, cut at necks that are narrower than asked for."""

from __future__ import annotations

import numpy as np

from algorithms.balls import covered_counts, fitting_levels, mean_diameter
from algorithms.components import components, largest_in
from algorithms.derived_volume import phase_of
from algorithms.slabs import Volume
from daemon.analyse.results import Particles, Plan
from daemon.analyse.site import Ground, Site
from daemon.analyse.widths import Widths
from daemon.errors import ConfigurationError


def measure_particles(ground: Ground, plan: Plan, widths: Widths, site: Site) -> Particles | None:
    """Every particle's diameters; None where the volume has none."""
    if not ground.phase_voxels[plan.particles]:
        return None
    neck = plan.neck_nm / ground.voxel_nm
    with site.steps.step(f"particles of phase {plan.particles}", 30 * site.voxels) as told:
        cores = _cores(ground, plan.particles, neck, site)
        found = components(cores, site.effort.planes, told)
        levels = largest_in(cores, widths.levels, found)
        covered = covered_counts([widths.levels], [None], widths.radii, site.effort.size, told)[0]
    equivalent = np.cbrt(6.0 * found.sizes / np.pi) + 2.0 * neck
    inscribed = 2.0 * np.asarray(widths.radii)[levels.astype(np.int64) - 1]
    order = np.argsort(equivalent)[::-1]
    return Particles(
        plan.particles,
        equivalent[order] * ground.voxel_nm,
        inscribed[order] * ground.voxel_nm,
        mean_diameter(widths.radii, covered) * ground.voxel_nm,
        2.0 * widths.radii[-1] * ground.voxel_nm if widths.are_cut_off else None,
    )


def _cores(ground: Ground, phase: int, neck: float, site: Site) -> Volume:
    """The phase less a rim as thick as the radius of the necks that are cut.

    Raises
    ------
    ConfigurationError
        The necks are wider than any ball that is looked for.
    """
    inside = phase_of(ground.labels, phase)
    if neck <= 0.0:
        return inside
    fits = site.scratch.volume(np.uint8)
    try:
        fitting_levels(inside, fits, (neck,), site.effort.size)
    except ValueError as error:
        raise ConfigurationError(
            str(error),
            where=f"--neck {neck * ground.voxel_nm:g}",
            remedy="Give narrower necks, or a coarser --level.",
        ) from error
    return phase_of(fits, 1)
