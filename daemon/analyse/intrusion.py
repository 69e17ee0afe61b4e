"""Balls that intrude into a phase: along each axis, and from outside of the particle into its inner pores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.balls import covered_counts, half_radius
from algorithms.derived_volume import phase_of, without
from algorithms.rolling_ball import let_in_from_faces
from algorithms.slabs import OnVoxels, Volume, WritableVolume, slabs
from algorithms.widest_paths import widest_paths
from daemon.analyse.results import AXES, Intrusion
from daemon.analyse.site import VOID, Ground, Site
from daemon.analyse.widths import Widths

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where balls come from, how many of the radii reach each voxel, and what is counted (None: the
    phase)."""

    name: str
    reached: WritableVolume
    within: Volume | None


def measure_intrusion(
    ground: Ground, phase: int, widths: Widths, site: Site
) -> tuple[Counts, tuple[Intrusion, ...]]:
    """Voxels of the phase that balls of each radius cover, and the intrusion from each side."""
    with site.steps.step(f"intrusion into phase {phase}", 60 * site.voxels) as told:
        entries = [_along(axis, widths, site, told) for axis in range(len(AXES))]
        if phase == VOID:
            entries.append(_into_inner_pores(ground, widths, site, told))
        fields = [widths.levels, *(entry.reached for entry in entries), widths.levels]
        within = [None, *(entry.within for entry in entries), entries[-1].within]
        counts = covered_counts(fields, within, widths.radii, site.effort.size, told)
    covered = [counts[0] if entry.within is None else counts[-1] for entry in entries]
    return counts[0], tuple(
        _intrusion(entry.name, reached, anywhere, _total(entry, ground, phase, site), widths, ground)
        for entry, reached, anywhere in zip(entries, counts[1:-1], covered, strict=True)
    )


def shares_of(counts: Counts, total: float) -> Floats:
    """Counts over their total; NaN where there is nothing to share."""
    return counts / total if total else np.full(counts.shape, np.nan)


def _along(axis: int, widths: Widths, site: Site, told: OnVoxels) -> _Entry:
    reached = site.scratch.volume(np.uint8)
    face = tuple(slice(0, 1) if one == axis else slice(None) for one in range(len(AXES)))
    reached[face] = widths.levels[face]
    widest_paths(widths.levels, reached, site.effort.planes, told)
    return _Entry(AXES[axis], reached, None)


def _into_inner_pores(ground: Ground, widths: Widths, site: Site, told: OnVoxels) -> _Entry:
    """Balls start anywhere outside of the particle, or from all faces where the particle fills the volume."""
    reached = site.scratch.volume(np.uint8)
    if ground.depths is None:
        let_in_from_faces(widths.levels, reached)
    else:
        for slab in slabs(site.scratch.shape, site.effort.planes):
            is_outside = ground.outside[slab.core] != 0
            reached[slab.core] = np.where(is_outside, widths.levels[slab.core], np.uint8(0))
    widest_paths(widths.levels, reached, site.effort.planes, told)
    inner = without(phase_of(ground.labels, VOID), ground.outside)
    return _Entry("outside" if ground.depths is not None else "all faces", reached, inner)


def _total(entry: _Entry, ground: Ground, phase: int, site: Site) -> int:
    mask = entry.within
    if mask is None:
        return int(ground.phase_voxels[phase])
    return sum(int(np.count_nonzero(mask[one.core])) for one in slabs(site.scratch.shape, site.effort.planes))


def _intrusion(
    name: str, reached: Counts, covered: Counts, total: int, widths: Widths, ground: Ground
) -> Intrusion:
    share = shares_of(reached, total)
    r_min, r_max = half_radius(widths.radii, share), half_radius(widths.radii, shares_of(covered, total))
    is_r_min_least, is_r_max_least = (
        widths.are_cut_off and radius >= widths.radii[-1] for radius in (r_min, r_max)
    )
    constrictivity = (r_min / r_max) ** 2
    return Intrusion(
        name,
        share,
        r_min * ground.voxel_nm,
        constrictivity,
        is_r_min_least,
        is_constrictivity_most=is_r_max_least,
    )
