"""Shares of phases in a volume: of the whole, of every cross-section along every axis, and at each depth
below the boundary of a particle; sums over slabs, so that no volume is too large.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.slabs import Block, OnVoxels, Volume, nothing_told, read, slabs

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SectionCounts:
    """Voxels of each phase, and of each phase inside the particle, in every cross-section.

    ``whole`` and ``inside`` have an array ``(phases, length)`` for each of the axes z, y, x.
    """

    whole: tuple[Counts, Counts, Counts]
    inside: tuple[Counts, Counts, Counts]


def section_counts(
    labels: Volume, outside: Volume, phases: int, planes: int, on_voxels: OnVoxels = nothing_told
) -> SectionCounts:
    """Counts of the labels 0 … ``phases`` - 1 by cross-section; ``outside`` is what is not particle."""
    z, y, x = labels.shape
    whole, inside = _no_counts(labels, phases), _no_counts(labels, phases)
    for slab in slabs((z, y, x), planes):
        values, is_inside = read(labels, slab.core), ~read(outside, slab.core).astype(np.bool_)
        for phase in range(phases):
            is_phase = values == phase
            _add(whole, is_phase, phase, slab)
            _add(inside, is_phase & is_inside, phase, slab)
        on_voxels(slab.size)
    return SectionCounts(whole, inside)


def _no_counts(labels: Volume, phases: int) -> tuple[Counts, Counts, Counts]:
    z, y, x = (np.zeros((phases, length), dtype=np.int64) for length in labels.shape)
    return z, y, x


def _add(counts: tuple[Counts, Counts, Counts], is_phase: NDArray[np.bool_], phase: int, slab: Block) -> None:
    in_rows = np.count_nonzero(is_phase, axis=2)
    counts[0][phase, slab.core[0]] += in_rows.sum(axis=1)
    counts[1][phase] += in_rows.sum(axis=0)
    counts[2][phase] += np.count_nonzero(is_phase, axis=(0, 1))


def fractions(counts: Counts) -> Floats:
    """Shares of the phases ``(phases, …)``; NaN where nothing was counted."""
    total = counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, counts / total, np.nan)


def shell_counts(
    labels: Volume,
    squares: Volume,
    phases: int,
    width: float,
    planes: int,
    on_voxels: OnVoxels = nothing_told,
) -> Counts:
    """Voxels of each phase by depth below the particle's boundary, int64 (phases, shells).

    ``squares`` are squared distances to the nearest voxel outside, 0 there; the boundary is half a voxel
    before it. Shell i holds depths of i · ``width`` to (i + 1) · ``width`` voxels.
    """
    z, y, x = labels.shape
    counts = np.zeros((phases, 0), dtype=np.int64)
    for slab in slabs((z, y, x), planes):
        values, distance = read(labels, slab.core), read(squares, slab.core)
        is_inside = (distance > 0) & (values < phases)
        shell = ((np.sqrt(distance[is_inside].astype(np.float64)) - 0.5) / width).astype(np.int64)
        shells = max(counts.shape[1], int(shell.max(initial=-1)) + 1)
        found = np.bincount(values[is_inside].astype(np.int64) * shells + shell, minlength=phases * shells)
        counts = np.pad(counts, ((0, 0), (0, shells - counts.shape[1]))) + found.reshape(phases, shells)
        on_voxels(slab.size)
    return counts
