"""The additive counts behind every metric of the volume: integers, so that any order of adding gives the
same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from algorithms.bitplanes import Bits, lagged_columns, lagged_rows
from algorithms.blocks import BlockGrid, Counts, cropped, starting_columns, starting_rows
from algorithms.neighbourhood import (
    ACROSS,
    DIRECTIONS,
    IN_PLANE,
    euler_eighths,
    phase_changes,
)
from algorithms.segments import count_segments

X, Y, Z = 0, 1, 2


@dataclass(frozen=True, slots=True)
class VolumeCounts:
    """Counts of solid configurations, all int64; b is short for ``blocks_y, blocks_x``.

    pairs, paths: ``(3, lags + 1, b)`` along x, y, z (see ``algorithms.segments``).
    changes: ``(13, b)`` per direction; euler_eighths: ``(b)`` (see ``algorithms.neighbourhood``).
    plane_pairs, plane_paths: ``(lags + 1,)`` pairs of measured planes r apart, and those with all planes in
    between measured too; ``plane_pairs[0]`` is the number of measured planes.
    """

    pairs: Counts
    paths: Counts
    changes: Counts
    euler_eighths: Counts
    plane_pairs: Counts
    plane_paths: Counts


def no_counts(grid: BlockGrid, lags: int) -> VolumeCounts:
    """All counts 0."""
    segments = np.zeros((3, lags + 1, *grid.shape), dtype=np.int64)
    changes = np.zeros((len(DIRECTIONS), *grid.shape), dtype=np.int64)
    euler = np.zeros(grid.shape, dtype=np.int64)
    planes = np.zeros(lags + 1, dtype=np.int64)
    return VolumeCounts(segments, segments.copy(), changes, euler, planes, planes.copy())


def plus(a: VolumeCounts, b: VolumeCounts, sign: int = 1) -> VolumeCounts:
    """``a + sign * b``, count by count."""
    return VolumeCounts(
        pairs=a.pairs + sign * b.pairs,
        paths=a.paths + sign * b.paths,
        changes=a.changes + sign * b.changes,
        euler_eighths=a.euler_eighths + sign * b.euler_eighths,
        plane_pairs=a.plane_pairs + sign * b.plane_pairs,
        plane_paths=a.plane_paths + sign * b.plane_paths,
    )


def count_within(grid: BlockGrid, plane: Bits, lags: int) -> VolumeCounts:
    """What one plane holds by itself: segments along x and y, phase changes in the plane."""
    counts, plane = no_counts(grid, lags), cropped(grid, plane)
    for axis, lagged in ((X, _columns_inside(grid, plane, lags)), (Y, _rows_inside(grid, plane, lags))):
        counts.pairs[axis], counts.paths[axis] = count_segments(grid, plane, lagged, lags)
    counts.changes[: len(IN_PLANE)] = phase_changes(grid, plane, plane, IN_PLANE)
    return counts


def _columns_inside(grid: BlockGrid, plane: Bits, lags: int) -> Iterator[Bits]:
    """The plane moved along x, less what comes through a wall; the region's border lets nothing in anyway."""
    lagged = lagged_columns(plane, lags)
    if not grid.has_inner_walls:
        return lagged
    return (bits & starting_columns(grid, lag) for lag, bits in enumerate(lagged))


def _rows_inside(grid: BlockGrid, plane: Bits, lags: int) -> Iterator[Bits]:
    """The same along y."""
    lagged = lagged_rows(plane, lags)
    if not grid.has_inner_walls:
        return lagged
    return (bits & starting_rows(grid, lag) for lag, bits in enumerate(lagged))


def count_across(grid: BlockGrid, plane: Bits, before: Sequence[Bits], lags: int) -> VolumeCounts:
    """What one plane forms with the planes before it (oldest first; no rows: not measured): everything
    along z.
    """
    counts, plane = no_counts(grid, lags), cropped(grid, plane)
    recent = [cropped(grid, bits) for bits in before[max(0, len(before) - lags) :]]
    lagged = tuple(chain((plane,), reversed(recent)))
    counts.pairs[Z], counts.paths[Z] = count_segments(grid, plane, lagged, lags)
    measured = np.asarray([bits.shape[0] > 0 for bits in lagged], dtype=np.int64)
    counts.plane_pairs[: len(lagged)] = measured
    counts.plane_paths[: len(lagged)] = np.cumprod(measured)
    if recent and recent[-1].shape[0]:
        counts.changes[len(IN_PLANE) :] = phase_changes(grid, recent[-1], plane, ACROSS)
        counts.euler_eighths[...] = euler_eighths(grid, recent[-1], plane)
    return counts
