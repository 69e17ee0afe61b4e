"""Integer counts in the 2 x 2 x 2 neighbourhood: phase changes in 13 directions, and solid cells by
dimension.

Phase changes between neighbours estimate boundary length and surface area (``algorithms.ligaments``); solid
vertices, edges, squares and cubes give the Euler number. Both need only the current and the previous plane.
"""

import numpy as np

from algorithms.bitplanes import Bits, moved_columns, moved_rows, pack
from algorithms.blocks import BlockGrid, Counts, count_per_block

Direction = tuple[int, int, int]
IN_PLANE: tuple[Direction, ...] = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1))
ACROSS: tuple[Direction, ...] = tuple((1, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
DIRECTIONS = IN_PLANE + ACROSS
"""Steps (dz, dy, dx) to 13 of the 26 neighbours; the other 13 are their opposites."""

CELLS = ("vertex", "edge x", "edge y", "square xy", "edge z", "square xz", "square yz", "cube")
CELL_EXTENTS: tuple[Direction, ...] = (
    (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1),
)  # fmt: skip
"""Extent (dz, dy, dx) of each cell of ``CELLS``."""


def moved(bits: Bits, dy: int, dx: int) -> Bits:
    """A plane with ``result[y, x] = bits[y + dy, x + dx]``, 0 outside."""
    return moved_columns(moved_rows(bits, dy), dx)


def phase_changes(grid: BlockGrid, near: Bits, far: Bits, directions: tuple[Direction, ...]) -> Counts:
    """Neighbours of unlike phase, ``(directions, blocks_y, blocks_x)``: ``near`` at p, ``far`` at p + (dy,
    dx).
    """
    inside = pack(np.ones((grid.height, grid.width), dtype=np.bool_))
    unlike = ((near ^ moved(far, dy, dx)) & inside & moved(inside, dy, dx) for _, dy, dx in directions)
    return np.stack([count_per_block(grid, bits) for bits in unlike])


def flat_cells(plane: Bits) -> tuple[Bits, Bits, Bits, Bits]:
    """Solid vertices, x edges, y edges and xy squares of one plane, each at its first pixel."""
    edge_x = plane & moved_columns(plane, 1)
    return plane, edge_x, plane & moved_rows(plane, 1), edge_x & moved_rows(edge_x, 1)


def cells_within(grid: BlockGrid, plane: Bits) -> Counts:
    """Solid cells that lie in one plane, ``(4, blocks_y, blocks_x)`` in the order of ``CELLS``."""
    return np.stack([count_per_block(grid, cell) for cell in flat_cells(plane)])


def cells_across(grid: BlockGrid, upper: Bits, lower: Bits) -> Counts:
    """Solid cells that join two consecutive planes, ``(4, blocks_y, blocks_x)`` in the order of ``CELLS``."""
    both = zip(flat_cells(upper), flat_cells(lower), strict=True)
    return np.stack([count_per_block(grid, above & below) for above, below in both])
