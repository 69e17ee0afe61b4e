"""The streaming state behind the volume's metrics: constant cost per plane, exact, mergeable.

    state = start_metrics(height, width)
    state = add_plane(state, labels)        # as often as planes become final
    algorithms.volume_figures.figures(state, voxel_nm)

``merge`` of the states of two consecutive stacks equals the state of the whole, count by count. For that a
state keeps its first and its last ``lags`` planes, packed 64 px to a word (0.8 MB for 3072 x 2048);
everything else is a fixed number of integers. The kept planes can be left out of a journal and put back
from the stored volume (``without_planes``, ``with_planes``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algorithms.accumulators import VolumeCounts, count_across, count_within, no_counts, plus
from algorithms.bitplanes import Bits, pack
from algorithms.blocks import BlockGrid, block_grid

SOLID = 1
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MetricsState:
    """``planes`` counts positions along z, unmeasured ones too; ``head`` and ``tail`` are the first and the
    last ``lags`` of them as packed planes, one without rows where a position was not measured."""

    grid: BlockGrid
    lags: int
    planes: int
    counts: VolumeCounts
    head: tuple[Bits, ...] = ()
    tail: tuple[Bits, ...] = ()


def start_metrics(height: int, width: int, *, lags: int = 100, block_px: int = 256) -> MetricsState:
    """The state of an empty stack of ``height`` x ``width`` planes.

    ``block_px`` is the side of the lateral blocks whose spread gives the standard errors; small regions get
    smaller blocks. Raises ValueError for sizes that are not positive.
    """
    if lags < 1:
        raise ValueError(f"metrics: {lags} lags; at least 1 is needed to compare directions")
    grid = block_grid(height, width, block_px)
    return MetricsState(grid, lags, 0, no_counts(grid, lags))


def add_plane(state: MetricsState, labels: Labels) -> MetricsState:
    """The state with one more plane ``(y, x)`` behind the last; solid is label 1.

    Raises ValueError if the plane has another shape than the stack.
    """
    grid, lags = state.grid, state.lags
    plane = _packed(grid, labels)
    within = plus(count_within(grid, plane, lags), count_across(grid, plane, state.tail, lags))
    return _grown(state, plus(state.counts, within), plane)


def add_unmeasured_plane(state: MetricsState) -> MetricsState:
    """The state with one more position behind the last, at which nothing was measured.

    Depth stays true: segments along z that would end there are not counted, nor paths that would cross it.
    """
    return _grown(state, state.counts, np.empty((0, 0), dtype=np.uint64))


def _packed(grid: BlockGrid, labels: Labels) -> Bits:
    if labels.shape != (grid.height, grid.width):
        raise ValueError(
            f"metrics: plane {labels.shape} px, stack {(grid.height, grid.width)} px; shapes must agree"
        )
    return pack(labels == SOLID)


def _grown(state: MetricsState, counts: VolumeCounts, plane: Bits) -> MetricsState:
    head = (*state.head, plane) if len(state.head) < state.lags else state.head
    tail = (*state.tail, plane)[-state.lags :]
    return replace(state, planes=state.planes + 1, counts=counts, head=head, tail=tail)


def merge(above: MetricsState, below: MetricsState) -> MetricsState:
    """The state of the stack ``above`` continued by the stack ``below``; equal to the state of the whole.

    What is missing from the sum of both are the configurations that cross the seam: every plane of
    ``below``'s head is counted against all planes before it, less those that ``below`` has counted itself.
    Raises ValueError if the two stacks differ in region, blocks or lags.
    """
    if (above.grid, above.lags) != (below.grid, below.lags):
        raise ValueError(
            f"metrics: stacks of {above.grid}, {above.lags} lags and {below.grid}, {below.lags} lags "
            "do not merge; measure both alike"
        )
    grid, lags = above.grid, above.lags
    counts = plus(above.counts, below.counts)
    for index, plane in enumerate(below.head):
        if plane.shape[0]:
            own = below.head[:index]
            counts = plus(counts, count_across(grid, plane, above.tail + own, lags))
            counts = plus(counts, count_across(grid, plane, own, lags), -1)
    return replace(
        above,
        planes=above.planes + below.planes,
        counts=counts,
        head=(above.head + below.head)[:lags],
        tail=(above.tail + below.tail)[-lags:],
    )


def without_planes(state: MetricsState) -> MetricsState:
    """The state less its kept planes: small, for a journal beside which the volume itself is stored."""
    return replace(state, head=(), tail=())


def with_planes(state: MetricsState, first: Sequence[Labels], last: Sequence[Labels]) -> MetricsState:
    """The state with its kept planes put back from the volume's first and last ``lags`` planes (or all
    there are).

    An array of no elements stands for a position that was not measured. Raises ValueError if the number of
    planes does not match the state.
    """
    expected = min(state.planes, state.lags)
    if len(first) != expected or len(last) != expected:
        raise ValueError(f"metrics: {len(first)} first, {len(last)} last planes; give {expected} of each")
    return replace(state, head=_all_packed(state.grid, first), tail=_all_packed(state.grid, last))


def _all_packed(grid: BlockGrid, planes: Sequence[Labels]) -> tuple[Bits, ...]:
    unmeasured = np.empty((0, 0), dtype=np.uint64)
    return tuple(_packed(grid, labels) if labels.size else unmeasured for labels in planes)
