"""Planes become final in order, with a bounded look-ahead, and equal those of a batch over the whole run."""

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms.interpolation import Planes, add_slice, finish, provisional, start_interpolation
from algorithms.plane_inpainting import plane_inpainting
from algorithms.slice_filling import INTERPOLATIONS, PLANES_AT_ONCE, Interpolation

Labels = NDArray[np.uint8]
names = st.sampled_from(sorted(INTERPOLATIONS))
steps = st.lists(st.integers(1, 7), max_size=12)
LIMIT = 5


def run_of(gaps: list[int], first: int) -> tuple[list[int], list[Labels]]:
    positions = [first + sum(gaps[:index]) for index in range(len(gaps) + 1)]
    rng = np.random.default_rng(len(gaps))
    return positions, [rng.integers(0, 3, (6, 7)).astype(np.uint8) for _ in positions]


def direct(method: Interpolation, positions: list[int], slices: list[Labels]) -> Labels:
    """The definition: every interval from the slices around it, the whole run at hand."""
    volume = [slices[0][None]]
    for lower in range(1, len(positions)):
        around = slice(max(0, lower - method.before), lower + method.after)
        planes = np.arange(positions[lower - 1] + 1, positions[lower])
        if planes.size:
            volume += method.fill(np.asarray(positions[around]), np.stack(slices[around]), planes)
        volume.append(slices[lower][None])
    return np.concatenate(volume)


def together(groups: Iterable[Planes]) -> Labels:
    return np.concatenate([np.empty((0, 6, 7), np.uint8), *(group.labels for group in groups)])


@given(names, steps, st.integers(0, 4))
@settings(max_examples=80, deadline=None)
def test_the_stream_equals_the_batch_and_leaves_no_plane_out(name: str, gaps: list[int], first: int) -> None:
    """The final planes, one after the other, are consecutive and those of the definition; slices are kept."""
    method = INTERPOLATIONS[name]
    positions, slices = run_of(gaps, first)
    state, parts = start_interpolation(LIMIT), list[Planes]()
    for position, labels in zip(positions, slices, strict=True):
        state, final = add_slice(method, state, position, labels)
        parts += final
    parts += finish(method, state)[1]
    starts = [part.first for part in parts]
    np.testing.assert_array_equal(starts, first + np.cumsum([0, *(len(part.labels) for part in parts[:-1])]))
    volume = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(volume, direct(method, positions, slices))
    measured = np.concatenate([part.measured for part in parts])
    np.testing.assert_array_equal(np.flatnonzero(measured) + first, positions)


@given(names, steps)
@settings(max_examples=40, deadline=None)
def test_look_ahead_memory_and_provisional_planes(name: str, gaps: list[int]) -> None:
    """At any time: final up to ``after - 1`` slices before the last, provisional on to the last, few slices
    kept.
    """
    method = INTERPOLATIONS[name]
    positions, slices = run_of(gaps, 0)
    state = start_interpolation(LIMIT)
    for index, (position, labels) in enumerate(zip(positions, slices, strict=True)):
        state, _ = add_slice(method, state, position, labels)
        settled = positions[max(0, index + 1 - method.after)]
        assert state.next_plane == settled + 1
        assert len(state.slices) <= method.before + method.after - 1
        shown = list(provisional(method, state))
        assert all(group.first > settled for group in shown)
        np.testing.assert_array_equal(
            together(shown), direct(method, positions[: index + 1], slices[: index + 1])[settled + 1 :]
        )


@given(steps)
@settings(max_examples=20, deadline=None)
def test_planes_that_bridge_too_large_a_distance_are_marked(gaps: list[int]) -> None:
    """Bridged are the interpolated planes between slices more than the limit apart, and no slices."""
    positions, slices = run_of(gaps, 0)
    state, marks = start_interpolation(LIMIT), list[bool]()
    for position, labels in zip(positions, slices, strict=True):
        state, final = add_slice(INTERPOLATIONS["nearest"], state, position, labels)
        marks += [mark for group in final for mark in group.bridged.tolist()]
    expected = [False]
    for gap in gaps:
        expected += [gap > LIMIT] * (gap - 1) + [False]
    assert marks == expected


def test_slices_out_of_order_or_of_another_shape_are_refused() -> None:
    """The volume only grows downwards, and all its planes are alike."""
    method = INTERPOLATIONS["nearest"]
    state, _ = add_slice(method, start_interpolation(LIMIT), 4, np.zeros((3, 4), dtype=np.uint8))
    with pytest.raises(ValueError, match="order"):
        add_slice(method, state, 4, np.zeros((3, 4), dtype=np.uint8))
    with pytest.raises(ValueError, match="expected"):
        add_slice(method, state, 5, np.zeros((4, 4), dtype=np.uint8))


def test_a_run_without_slices_has_no_planes() -> None:
    """Finishing an empty run is not an error."""
    assert not list(finish(INTERPOLATIONS["cubic"], start_interpolation(LIMIT))[1])


def test_a_finished_run_has_no_more_planes() -> None:
    """Closed again, as after a kill between the last plane and the end, nothing comes twice."""
    method = INTERPOLATIONS["cubic"]
    state, _ = add_slice(method, start_interpolation(LIMIT), 3, np.zeros((3, 4), dtype=np.uint8))
    state, _ = add_slice(method, state, 6, np.zeros((3, 4), dtype=np.uint8))
    closed, rest = finish(method, state)
    assert [group.first for group in rest] == [4]
    assert not list(finish(method, closed)[1])


LOST_PLANES = 400
METHODS = {**INTERPOLATIONS, "inpaint": plane_inpainting(lambda maps: np.stack((-maps[-2], maps[-2])))}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_wide_gap_never_lies_in_memory_as_a_whole(name: str) -> None:
    """Across 400 lost planes memory peaks below half a byte per voxel of the gap; every plane comes."""
    method, side = METHODS[name], 160
    positions = [0, 4, 8, 9 + LOST_PLANES, 13 + LOST_PLANES, 17 + LOST_PLANES]
    rng = np.random.default_rng(1)
    slices = [(rng.random((side, side)) < 0.3).astype(np.uint8) for _ in positions]
    state, came, longest = start_interpolation(LIMIT), 0, 0
    tracemalloc.start()
    for position, labels in zip(positions, slices, strict=True):
        state, final = add_slice(method, state, position, labels)
        for group in final:
            came, longest = came + len(group.labels), max(longest, len(group.labels))
    for group in finish(method, state)[1]:
        came += len(group.labels)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert came == positions[-1] + 1
    assert longest == PLANES_AT_ONCE + 1
    assert peak_bytes < LOST_PLANES * side**2 / 2
