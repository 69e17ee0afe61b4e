"""A region cut into lateral blocks, so that one pass gives the region's counts and their spread.

Every segment belongs to the block of its first pixel. The blocks' counts add up to the region's exactly, and
leaving one block out at a time gives a standard error (jackknife) for any figure made from counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.bitplanes import WORD, Bits

Counts = NDArray[np.int64]

BLOCKS_PER_SIDE = 4


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """Region of ``height`` x ``width`` px; block edges in px, first 0 and last the region's size."""

    height: int
    width: int
    row_edges: tuple[int, ...]
    column_edges: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks along y and x."""
        return len(self.row_edges) - 1, len(self.column_edges) - 1


def block_grid(height: int, width: int, block_px: int) -> BlockGrid:
    """Blocks of about ``block_px``, smaller where needed for four a side, but never narrower than 64 px
    along x.

    Raises ValueError for an empty region or block.
    """
    if min(height, width, block_px) < 1:
        raise ValueError(f"blocks: region {height} x {width} px, blocks {block_px} px; give positive sizes")
    tall = max(1, min(block_px, height // BLOCKS_PER_SIDE))
    wide = max(1, min(block_px, width // BLOCKS_PER_SIDE) // WORD) * WORD
    return BlockGrid(height, width, _edges(height, tall), _edges(width, wide))


def _edges(length: int, step: int) -> tuple[int, ...]:
    """Multiples of ``step``; what is left over at the end joins the last block."""
    return (*range(0, max(1, length // step) * step, step), length)


def count_per_block(grid: BlockGrid, bits: Bits) -> Counts:
    """Set bits of a packed plane in every block, ``grid.shape`` int64."""
    rows = np.add.reduceat(np.bitwise_count(bits), grid.row_edges[:-1], axis=0, dtype=np.uint32)
    first_words = np.asarray(grid.column_edges[:-1]) // WORD
    return np.add.reduceat(rows, first_words, axis=1, dtype=np.int64)


def starts_per_block(grid: BlockGrid, dy: int, dx: int) -> Counts:
    """How many pixels p of every block have p + (dy, dx) inside the region too, ``grid.shape`` int64."""
    return np.outer(_starts(grid.row_edges, dy), _starts(grid.column_edges, dx))


def _starts(edges: tuple[int, ...], offset: int) -> Counts:
    """Per block, the coordinates c for which c and c + offset lie in the region."""
    clipped = np.clip(np.asarray(edges, dtype=np.int64), max(0, -offset), max(0, edges[-1] - max(0, offset)))
    return np.maximum(np.diff(clipped), 0)
