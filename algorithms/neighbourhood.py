"""Integer counts in the 2 x 2 x 2 neighbourhood: phase changes in 13 directions, and the Euler number.

Phase changes between neighbours estimate boundary length and surface area (``algorithms.ligaments``). Both
need the current and the previous plane only.
"""

import numpy as np

from algorithms.bitplanes import Bits, moved_columns, moved_rows
from algorithms.blocks import BlockGrid, Counts, count_per_block, starting_columns, starting_rows

Direction = tuple[int, int, int]
IN_PLANE: tuple[Direction, ...] = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1))
ACROSS: tuple[Direction, ...] = tuple((1, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
DIRECTIONS = IN_PLANE + ACROSS
"""Steps (dz, dy, dx) to 13 of the 26 neighbours; the other 13 are their opposites."""


def moved(bits: Bits, dy: int, dx: int) -> Bits:
    """A plane with ``result[y, x] = bits[y + dy, x + dx]``, 0 outside."""
    return moved_columns(moved_rows(bits, dy), dx)


def phase_changes(grid: BlockGrid, near: Bits, far: Bits, directions: tuple[Direction, ...]) -> Counts:
    """Neighbours of unlike phase, ``(directions, blocks_y, blocks_x)``: ``near`` at p, ``far`` at p + (dy,
    dx).
    """
    unlike = ((near ^ moved(far, dy, dx)) & starting(grid, dy, dx) for _, dy, dx in directions)
    return np.stack([count_per_block(grid, bits) for bits in unlike])


def starting(grid: BlockGrid, dy: int, dx: int) -> Bits:
    """The pixels p whose neighbour p + (dy, dx) lies inside the same walls, as a packed plane."""
    return starting_rows(grid, dy) & starting_columns(grid, dx)


def euler_eighths(grid: BlockGrid, upper: Bits, lower: Bits) -> Counts:
    """Eight times the solid's Euler number between two consecutive planes, ``(blocks_y, blocks_x)``.

    Summed over the voxel cubes 2 x 2 x 2 between the planes: vertices / 8 - edges / 4 + squares / 2 -
    cubes, since that many cubes share each. A cell that joins both planes is a cell of their intersection
    of one dimension more, hence the last term. All cells are seen from the same cubes, so nothing is lost
    or counted twice at the edges of the region [Ohser & Mücklich, Statistical Analysis of Microstructures,
    2000, section 4.2]. The solid is joined by faces (6 neighbours), the pores by corners.
    """
    joined = upper & lower
    return _eighths(grid, upper) + _eighths(grid, lower) - 2 * _eighths(grid, joined)


def _eighths(grid: BlockGrid, plane: Bits) -> Counts:
    """Vertices - 2 edges + 4 squares of a plane, seen from every 2 x 2 square of pixels that fits."""
    whole = starting(grid, 1, 1)
    edge_x, edge_y = plane & moved(plane, 0, 1), plane & moved(plane, 1, 0)

    def seen(bits: Bits, steps: tuple[tuple[int, int], ...]) -> Counts:
        return sum((count_per_block(grid, moved(bits, *step) & whole) for step in steps), start=nothing)

    nothing = np.zeros(grid.shape, dtype=np.int64)
    vertices = seen(plane, ((0, 0), (0, 1), (1, 0), (1, 1)))
    edges = seen(edge_x, ((0, 0), (1, 0))) + seen(edge_y, ((0, 0), (0, 1)))
    return vertices - 2 * edges + 4 * seen(edge_x & moved(edge_x, 1, 0), ((0, 0),))
