"""The streaming state behind the volume's metrics: constant cost per plane, exact, mergeable.

    state = start_metrics(height, width)
    state = add_plane(state, labels)        # as often as planes become final
    algorithms.volume_figures.figures(state, voxel_nm)

``merge`` of the states of two consecutive stacks equals the state of the whole, count by count. For that a
state keeps its first and its last ``lags`` planes, packed 64 px to a word (0.8 MB for 3072 x 2048);
everything else is a fixed number of integers. The kept planes can be left out of a journal and put back
from the stored volume (``without_planes``, ``with_planes``).

Beside the region, lateral patches can be counted, each as a stack of its own: the papers evaluate patches of
256 x 256 px (Sardhara et al., slice thickness, section 2.4.2). Patches look at the same kept planes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algorithms.accumulators import VolumeCounts, count_across, count_within, no_counts, plus
from algorithms.bitplanes import Bits, pack
from algorithms.blocks import BlockGrid, block_grid, patch_grid

SOLID = 1
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Survey:
    """Counts of the blocks, or of the patches, of a grid."""

    grid: BlockGrid
    counts: VolumeCounts


@dataclass(frozen=True, slots=True)
class MetricsState:
    """``planes`` counts positions along z, unmeasured ones too; ``head`` and ``tail`` are the first and the
    last ``lags`` of them as packed planes, one without rows where a position was not measured.

    ``patches`` is None where none are counted.
    """

    region: Survey
    lags: int
    planes: int
    patches: Survey | None = None
    head: tuple[Bits, ...] = ()
    tail: tuple[Bits, ...] = ()


def start_metrics(height: int, width: int, *, lags: int = 100, block_px: int = 256) -> MetricsState:
    """The state of an empty stack of ``height`` x ``width`` planes, without patches.

    ``block_px`` is the side of the lateral blocks whose spread gives the standard errors; small regions get
    smaller blocks. Raises ValueError for sizes that are not positive.
    """
    if lags < 1:
        raise ValueError(f"metrics: {lags} lags; at least 1 is needed to compare directions")
    return MetricsState(_survey(block_grid(height, width, block_px), lags), lags, 0)


def start_patch_metrics(height: int, width: int, *, lags: int = 100, patch_px: int = 256) -> MetricsState:
    """The same with all patches of ``patch_px`` that fit into the region whole.

    Raises ValueError if none does, or if the side is not a multiple of 64 px.
    """
    state = start_metrics(height, width, lags=lags)
    return replace(state, patches=_survey(patch_grid(height, width, patch_px), lags))


def _survey(grid: BlockGrid, lags: int) -> Survey:
    return Survey(grid, no_counts(grid, lags))


def add_plane(state: MetricsState, labels: Labels) -> MetricsState:
    """The state with one more plane ``(y, x)`` behind the last; solid is label 1.

    Raises ValueError if the plane has another shape than the stack.
    """
    plane = _packed(state.region.grid, labels)
    region = _with_plane(state.region, plane, state)
    patches = _with_plane(state.patches, plane, state) if state.patches else None
    return _grown(replace(state, region=region, patches=patches), plane)


def _with_plane(survey: Survey, plane: Bits, state: MetricsState) -> Survey:
    grid, lags = survey.grid, state.lags
    own = plus(count_within(grid, plane, lags), count_across(grid, plane, state.tail, lags))
    return Survey(grid, plus(survey.counts, own))


def add_unmeasured_plane(state: MetricsState) -> MetricsState:
    """The state with one more position behind the last, at which nothing was measured.

    Depth stays true: segments along z that would end there are not counted, nor paths that would cross it.
    """
    return _grown(state, np.empty((0, 0), dtype=np.uint64))


def _packed(grid: BlockGrid, labels: Labels) -> Bits:
    if labels.shape != (grid.height, grid.width):
        raise ValueError(
            f"metrics: plane {labels.shape} px, stack {(grid.height, grid.width)} px; shapes must agree"
        )
    return pack(labels == SOLID)


def _grown(state: MetricsState, plane: Bits) -> MetricsState:
    head = (*state.head, plane) if len(state.head) < state.lags else state.head
    tail = (*state.tail, plane)[-state.lags :]
    return replace(state, planes=state.planes + 1, head=head, tail=tail)


def merge(above: MetricsState, below: MetricsState) -> MetricsState:
    """The state of the stack ``above`` continued by the stack ``below``; equal to the state of the whole.

    What is missing from the sum of both are the configurations that cross the seam: every plane of
    ``below``'s head is counted against all planes before it, less those that ``below`` has counted itself.
    Raises ValueError if the two stacks differ in region, blocks or lags.
    """
    if _measured_by(above) != _measured_by(below):
        raise ValueError(
            f"metrics: stacks of {_measured_by(above)} and {_measured_by(below)} do not merge; "
            "measure both alike"
        )
    patches = None
    if above.patches and below.patches:
        patches = _merged(above.patches, below.patches, above, below)
    return MetricsState(
        _merged(above.region, below.region, above, below),
        above.lags,
        above.planes + below.planes,
        patches,
        head=(above.head + below.head)[: above.lags],
        tail=(above.tail + below.tail)[-above.lags :],
    )


def _measured_by(state: MetricsState) -> tuple[BlockGrid, BlockGrid | None, int]:
    return state.region.grid, state.patches.grid if state.patches else None, state.lags


def _merged(one: Survey, other: Survey, above: MetricsState, below: MetricsState) -> Survey:
    grid, lags = one.grid, above.lags
    counts = plus(one.counts, other.counts)
    for index, plane in enumerate(below.head):
        if plane.shape[0]:
            own = below.head[:index]
            counts = plus(counts, count_across(grid, plane, above.tail + own, lags))
            counts = plus(counts, count_across(grid, plane, own, lags), -1)
    return Survey(grid, counts)


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
    grid = state.region.grid
    return replace(state, head=_all_packed(grid, first), tail=_all_packed(grid, last))


def _all_packed(grid: BlockGrid, planes: Sequence[Labels]) -> tuple[Bits, ...]:
    unmeasured = np.empty((0, 0), dtype=np.uint64)
    return tuple(_packed(grid, labels) if labels.size else unmeasured for labels in planes)
