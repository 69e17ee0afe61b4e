"""Counts of solid segments of every length, the one kernel behind two-point correlation and lineal path.

A segment of lag r px has r + 1 pixels. ``pairs[r]`` counts segments whose two end pixels are solid,
``paths[r]`` those that are solid all along. Both come from the same planes moved by r: the pair is an AND
of the plane with its moved self, the path the AND of all of them up to r.
"""

from collections.abc import Iterable

import numpy as np

from algorithms.bitplanes import Bits
from algorithms.blocks import BlockGrid, Counts, count_per_block


def count_segments(grid: BlockGrid, plane: Bits, lagged: Iterable[Bits], lags: int) -> tuple[Counts, Counts]:
    """Pairs and paths ``(lags + 1, blocks_y, blocks_x)`` of a plane with its neighbours at lags 0, 1 …

    ``lagged`` may end early (no more planes) and may contain planes of no rows (a plane that was not
    measured): such a lag has no pair, and no path reaches beyond it.
    """
    pairs = np.zeros((lags + 1, *grid.shape), dtype=np.int64)
    paths = np.zeros_like(pairs)
    path, alive = plane.copy(), True
    both = np.empty_like(plane)
    for lag, moved in enumerate(lagged):
        if moved.shape[0] == 0:
            alive = False
            continue
        pairs[lag] = count_per_block(grid, np.bitwise_and(plane, moved, out=both))
        if alive:
            paths[lag] = count_per_block(grid, np.bitwise_and(path, moved, out=path))
            alive = bool(paths[lag].any())
    return pairs, paths
