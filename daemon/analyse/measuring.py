"""The course of an analysis, from labels to results; each step says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from algorithms.components import Components, components
from algorithms.derived_volume import phase_of
from algorithms.fractions import SectionCounts, fractions, section_counts, shell_counts
from algorithms.rolling_ball import outside_of_particle, squared_depths
from algorithms.slabs import Volume, WritableVolume, slabs
from daemon.analyse.labels import Labels
from daemon.analyse.particles import measure_particles
from daemon.analyse.results import Analysis, Cuts, PhaseShare, Plan, Sections, Shells
from daemon.analyse.site import Ground, Site
from daemon.analyse.transport import measure_transport
from daemon.analyse.widths import measure_widths
from daemon.errors import ConfigurationError, FolderError
from models.spec import MOST_CLASSES

BASE_VISITS: Final = 20.0
PHASE_VISITS: Final = 160.0
"""Of every voxel that a bar expects, for what is done once and for each phase; only the time left depends on
it."""


def expected_visits(shape: tuple[int, int, int], plan: Plan) -> float:
    """Voxel visits of a whole analysis."""
    phases = len({*plan.phases, plan.particles})
    return float(np.prod(shape)) * (BASE_VISITS + PHASE_VISITS * phases)


def analyse_labels(source: Labels, plan: Plan, site: Site) -> Analysis:
    """Everything that ``plan`` asks for.

    Raises
    ------
    ConfigurationError
        A phase is asked for that the volume does not have.
    FolderError
        The labels are not phases.
    """
    labels, count = _copied(source, site)
    _refuse_unknown(plan, count, source.name)
    outside, has_outside = _outside(labels, source.voxel_nm, plan, site)
    with site.steps.step("cross-sections", 2 * site.voxels) as told:
        counted = section_counts(labels, outside, count, site.effort.planes, told)
    depths, shells = None, None
    if has_outside:
        depths, shells = _below_boundary(labels, outside, count, source.voxel_nm, plan, site)
    found = [_components(labels, phase, site) for phase in range(count)]
    ground = Ground(labels, source.voxel_nm, outside, depths, counted.whole[0].sum(axis=1))
    widths = {phase: measure_widths(ground, phase, site) for phase in sorted({*plan.phases, plan.particles})}
    measured = [
        measure_transport(ground, phase, widths[phase], found[phase], plan, site) for phase in plan.phases
    ]
    particles = measure_particles(ground, plan, widths[plan.particles], site)
    z, y, x = source.array.shape
    return Analysis(
        source=source.name,
        voxel_nm=source.voxel_nm,
        shape=(z, y, x),
        plan=plan,
        phases=_phase_shares(counted, found),
        outside_share=1.0 - float(counted.inside[0].sum() / counted.whole[0].sum()),
        sections=_sections(counted),
        shells=shells,
        transports=tuple(transport for transport, _ in measured),
        particles=particles,
        cuts=_cuts(labels, outside, tuple(lengths for _, lengths in measured)),
    )


def _copied(source: Labels, site: Site) -> tuple[WritableVolume, int]:
    """The labels where they are read quickly, and the number of phases, two at least."""
    labels, largest = site.scratch.volume(np.uint8), 1
    with site.steps.step("reading", site.voxels) as told:
        for slab in slabs(site.scratch.shape, site.effort.planes):
            values = np.asarray(source.array[slab.core])
            largest = max(largest, int(values.max()))
            if largest >= MOST_CLASSES or values.min() < 0:
                raise FolderError(
                    f"labels from {values.min()} to {largest} are not phases",
                    where=source.name,
                    remedy=f"Give labels 0 to {MOST_CLASSES - 1}: 0 pore, 1 solid, 2 … further phases.",
                )
            labels[slab.core] = values
            told(slab.size)
    return labels, largest + 1


def _refuse_unknown(plan: Plan, count: int, where: str) -> None:
    for phase in (*plan.phases, plan.particles):
        if not 0 <= phase < count:
            raise ConfigurationError(
                f"there is no phase {phase}", where=where, remedy=f"Its phases are 0 to {count - 1}."
            )


def _outside(labels: Volume, voxel_nm: float, plan: Plan, site: Site) -> tuple[WritableVolume, bool]:
    """What the rolling ball reaches, and whether that is anything."""
    outside = site.scratch.volume(np.uint8)
    spare = (site.scratch.volume(np.uint8), site.scratch.volume(np.uint8))
    with site.steps.step("rolling ball", 6 * site.voxels) as told:
        try:
            void = phase_of(labels, 0)
            outside_of_particle(void, outside, spare, plan.ball_nm / voxel_nm, site.effort, told)
        except ValueError as error:
            raise ConfigurationError(
                str(error),
                where=f"--ball {plan.ball_nm:g}",
                remedy="Give a smaller ball, or a coarser --level.",
            ) from error
        any_outside = any(
            bool(np.any(outside[one.core])) for one in slabs(site.scratch.shape, site.effort.planes)
        )
    return outside, any_outside


def _below_boundary(
    labels: Volume, outside: Volume, count: int, voxel_nm: float, plan: Plan, site: Site
) -> tuple[Volume, Shells]:
    depths = site.scratch.volume(np.uint32)
    with site.steps.step("depth below the boundary", 6 * site.voxels) as told:
        squared_depths(outside, depths, site.effort, told)
        width_nm = max(plan.shell_nm, voxel_nm)
        counts = shell_counts(labels, depths, count, width_nm / voxel_nm, site.effort.planes, told)
    edges = np.arange(counts.shape[1]) * width_nm
    return depths, Shells(edges, fractions(counts), fractions(counts.cumsum(axis=1)))


def _components(labels: Volume, phase: int, site: Site) -> Components:
    with site.steps.step(f"connectivity of phase {phase}", 2 * site.voxels) as told:
        return components(phase_of(labels, phase), site.effort.planes, told)


def _phase_shares(counted: SectionCounts, found: list[Components]) -> tuple[PhaseShare, ...]:
    whole, inside = fractions(counted.whole[0].sum(axis=1)), fractions(counted.inside[0].sum(axis=1))
    return tuple(
        PhaseShare(
            phase=phase,
            share=float(whole[phase]),
            share_in_particle=float(inside[phase]),
            components=one.sizes.size,
            largest_share=float(one.sizes.max(initial=0) / one.sizes.sum()) if one.sizes.size else np.nan,
            closed_share=one.share(one.closed()),
            spans=_per_axis(lambda axis, one=one: bool(one.spanning(axis).any())),
            spanning_share=_per_axis(lambda axis, one=one: one.share(one.spanning(axis))),
        )
        for phase, one in enumerate(found)
    )


def _per_axis(of: Callable[[int], Any]) -> tuple[Any, Any, Any]:
    return of(0), of(1), of(2)


def _sections(counted: SectionCounts) -> tuple[Sections, Sections, Sections]:
    return _per_axis(lambda axis: Sections(fractions(counted.whole[axis]), fractions(counted.inside[axis])))


def _cuts(labels: Volume, outside: Volume, lengths: tuple[Any, ...]) -> Cuts:
    row = labels.shape[1] // 2
    region = (slice(None), slice(row, row + 1), slice(None))
    return Cuts(np.asarray(labels[region])[:, 0], np.asarray(outside[region])[:, 0] != 0, lengths)
