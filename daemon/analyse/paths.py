"""Shortest paths through a phase: from face to face, and from the particle's boundary inwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.components import Components, members
from algorithms.derived_volume import phase_of, without
from algorithms.geodesics import geodesic_lengths
from algorithms.slabs import Volume, slabs
from daemon.analyse.results import AXES, Paths, Plan
from daemon.analyse.site import Ground, Site

Cut = NDArray[Any]


def paths_along(axis: int, ground: Ground, phase: int, found: Components, site: Site) -> tuple[Paths, Cut]:
    """Paths from the first to the last plane of an axis within what spans it, and a cut z, x of their
    lengths."""
    way, lengths = site.scratch.volume(np.uint8), site.scratch.volume(np.float32)
    first, last = (_face(axis, end) for end in (slice(0, 1), slice(-1, None)))
    spanning = found.spanning(axis)
    with site.steps.step(f"paths of phase {phase} along {AXES[axis]}", 25 * site.voxels) as told:
        for part, mask in members(phase_of(ground.labels, phase), found, spanning):
            way[part.core] = mask
            lengths[part.core] = np.float32(np.inf)
        lengths[last] = np.where(np.asarray(way[last]) != 0, np.float32(0), np.float32(np.inf))
        if spanning.any():
            geodesic_lengths(way, lengths, site.effort.planes, on_voxels=told)
    starts = np.asarray(ground.labels[first]) == phase
    row = site.scratch.shape[1] // 2
    cut = np.asarray(lengths[:, row : row + 1, :])[:, 0]
    return _paths(AXES[axis], np.asarray(lengths[first])[starts], site.scratch.shape[axis] - 1.0), cut


def paths_from_boundary(ground: Ground, plan: Plan, site: Site) -> tuple[Paths, ...]:
    """Paths through the inner pores from the particle's boundary to each depth below it."""
    if ground.depths is None:
        return ()
    deepest = max(
        float(np.max(ground.depths[one.core])) for one in slabs(site.scratch.shape, site.effort.planes)
    )
    depths = _depths(plan, float(np.sqrt(deepest)) - 1.0, ground.voxel_nm)
    return tuple(_paths_to_depth(depth, ground.depths, ground, site) for depth in depths)


def _depths(plan: Plan, deepest: float, voxel_nm: float) -> list[int]:
    """In whole voxels, each once; what nothing is as deep as is left out."""
    asked = [depth / voxel_nm for depth in plan.depths_nm] or [deepest / 4, deepest / 2, 3 * deepest / 4]
    return sorted({round(depth) for depth in asked if 0.5 < depth < deepest + 1 and round(depth) <= deepest})


def _paths_to_depth(depth: int, squares: Volume, ground: Ground, site: Site) -> Paths:
    """Start: voxels that touch the outside; end: those ``depth`` voxels deeper."""
    inner = without(phase_of(ground.labels, 0), ground.outside)
    lengths = site.scratch.volume(np.float32)
    parts, tau = slabs(site.scratch.shape, site.effort.planes), list[NDArray[np.float32]]()
    name = f"{depth * ground.voxel_nm:g} nm below the boundary"
    with site.steps.step(f"paths to {name}", 25 * site.voxels) as told:
        for part in parts:
            is_end = (squares[part.core] >= (depth + 1) ** 2) & inner[part.core]
            lengths[part.core] = np.where(is_end, np.float32(0), np.float32(np.inf))
        geodesic_lengths(inner, lengths, site.effort.planes, on_voxels=told)
        for part in parts:
            starts = (squares[part.core] == 1) & inner[part.core]
            tau.append(np.asarray(lengths[part.core])[starts])
    return _paths(name, np.concatenate(tau), float(depth))


def _paths(name: str, lengths: NDArray[np.float32], straight: float) -> Paths:
    """τ from path lengths of all starts; of paths of no length there is none."""
    known = lengths[np.isfinite(lengths)].astype(np.float64)
    tau = np.sort(known / straight) if straight else np.empty(0)
    return Paths(name, tau, 1.0 - known.size / lengths.size if lengths.size else np.nan)


def _face(axis: int, end: slice) -> tuple[slice, slice, slice]:
    face = [slice(None)] * 3
    face[axis] = end
    return face[0], face[1], face[2]
