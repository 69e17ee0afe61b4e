"""Counts of solid segments of every length, the one kernel behind two-point correlation and lineal path.

A segment of lag r px has r + 1 pixels. ``pairs[r]`` counts segments whose two end pixels are solid,
``paths[r]`` those that are solid all along. Both come from the same planes moved by r: the pair is an AND
of the plane with its moved self, the path the AND of all of them up to r.

Pairs are everywhere at all lags; paths die out, for no ligament is as long as the longest lag in every
direction. Once few words of the plane still hold one, only those are looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.bitplanes import Bits
from algorithms.blocks import BlockGrid, Counts, block_of_words, count_per_block

THIN = 4
"""Picking words one by one pays where fewer than one in so many are left (2026-11-27, AMD EPYC)."""


@dataclass(frozen=True, slots=True)
class ThinPaths:
    """The words of a plane in which paths are alive: where they lie in it, in which block, and their bits."""

    places: NDArray[np.intp]
    blocks: NDArray[np.intp]
    bits: Bits


def count_segments(grid: BlockGrid, plane: Bits, lagged: Iterable[Bits], lags: int) -> tuple[Counts, Counts]:
    """Pairs and paths ``(lags + 1, blocks_y, blocks_x)`` of a plane with its neighbours at lags 0, 1 …

    ``lagged`` may end early (no more planes) and may contain planes of no rows (a plane that was not
    measured): such a lag has no pair, and no path reaches beyond it.
    """
    pairs = np.zeros((lags + 1, *grid.shape), dtype=np.int64)
    paths = np.zeros_like(pairs)
    path: Bits | ThinPaths = plane.copy()
    both, alive = np.empty_like(plane), True
    for lag, moved in enumerate(lagged):
        if moved.shape[0] == 0:
            alive = False
            continue
        pairs[lag] = count_per_block(grid, np.bitwise_and(plane, moved, out=both))
        if alive:
            path, paths[lag] = _prolonged(grid, path, moved)
            alive = bool(paths[lag].any())
    return pairs, paths


def _prolonged(grid: BlockGrid, path: Bits | ThinPaths, moved: Bits) -> tuple[Bits | ThinPaths, Counts]:
    """The paths that go on in the moved plane, and how many those are per block."""
    if isinstance(path, ThinPaths):
        path = _thinner(path, moved)
        return path, _count_thin(grid, path)
    np.bitwise_and(path, moved, out=path)
    counts = count_per_block(grid, path)
    return (_thin(grid, path) if THIN * np.count_nonzero(path) < path.size else path), counts


def _thin(grid: BlockGrid, path: Bits) -> ThinPaths:
    places = np.flatnonzero(path)
    return ThinPaths(places, block_of_words(grid)[places], path.reshape(-1)[places])


def _thinner(path: ThinPaths, moved: Bits) -> ThinPaths:
    bits = path.bits & moved.reshape(-1)[path.places]
    alive = bits != 0
    if 2 * np.count_nonzero(alive) > bits.size:
        return ThinPaths(path.places, path.blocks, bits)
    return ThinPaths(path.places[alive], path.blocks[alive], bits[alive])


def _count_thin(grid: BlockGrid, path: ThinPaths) -> Counts:
    # Weights are float64: sums of whole numbers are exact far beyond the bits of any plane.
    rows, columns = grid.shape
    counts = np.bincount(path.blocks, weights=np.bitwise_count(path.bits), minlength=rows * columns)
    return counts.astype(np.int64).reshape(grid.shape)
