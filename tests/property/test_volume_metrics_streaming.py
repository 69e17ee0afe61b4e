"""The streaming metrics equal the batch result for any split, merge, restart and gap, count by count."""

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from algorithms.accumulators import VolumeCounts
from algorithms.bitplanes import moved_columns, moved_rows, pack, unpack
from algorithms.correlation import two_point_counts
from algorithms.lineal_path import lineal_path_counts
from algorithms.volume_metrics import (
    MetricsState,
    add_plane,
    add_unmeasured_plane,
    merge,
    start_metrics,
    start_patch_metrics,
    with_planes,
    without_planes,
)

Volume = NDArray[np.uint8]

volumes = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 5, 63, 64, 65, 130])),
    elements=st.sampled_from([0, 1, 1, 1, 2]),
    fill=st.just(np.uint8(1)),
)
lag_counts = st.integers(1, 12)


def streamed(volume: Volume, lags: int) -> MetricsState:
    state = start_metrics(*volume.shape[1:], lags=lags, block_px=64)
    for plane in volume:
        state = add_plane(state, plane)
    return state


def assert_equal_counts(a: VolumeCounts, b: VolumeCounts) -> None:
    for field in fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


def assert_equal_states(a: MetricsState, b: MetricsState) -> None:
    assert (a.region.grid, a.lags, a.planes) == (b.region.grid, b.lags, b.planes)
    assert_equal_counts(a.region.counts, b.region.counts)
    for kept, other in ((a.head, b.head), (a.tail, b.tail)):
        assert len(kept) == len(other)
        assert all(np.array_equal(one, two) for one, two in zip(kept, other, strict=True))


@given(volumes, lag_counts)
@settings(max_examples=60, deadline=None)
def test_streamed_counts_equal_the_direct_count_of_the_whole_volume(volume: Volume, lags: int) -> None:
    """Pairs and paths along x, y, z, summed over blocks, are those a batch program counts by slicing."""
    counts = streamed(volume, lags).region.counts
    solid = volume == 1
    np.testing.assert_array_equal(counts.pairs.sum(axis=(-2, -1)), two_point_counts(solid, lags))
    np.testing.assert_array_equal(counts.paths.sum(axis=(-2, -1)), lineal_path_counts(solid, lags))


@given(volumes, lag_counts, st.data())
@settings(max_examples=60, deadline=None)
def test_merging_any_split_equals_the_whole(volume: Volume, lags: int, data: st.DataObject) -> None:
    """Three consecutive stacks, empty ones included, merge in either order of bracketing to the whole's
    state.
    """
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(volume))] * 2)))
    a, b, c = (streamed(part, lags) for part in np.split(volume, [first, second]))
    whole = streamed(volume, lags)
    assert_equal_states(merge(merge(a, b), c), whole)
    assert_equal_states(merge(a, merge(b, c)), whole)


@given(volumes, lag_counts, st.data())
@settings(max_examples=40, deadline=None)
def test_a_restart_from_counts_and_the_stored_volume_continues_exactly(
    volume: Volume, lags: int, data: st.DataObject
) -> None:
    """A state without its planes, plus the first and last planes of the volume, goes on as if never
    stopped.
    """
    stop = data.draw(st.integers(0, len(volume)))
    kept = min(stop, lags)
    state = without_planes(streamed(volume[:stop], lags))
    state = with_planes(state, list(volume[:kept]), list(volume[stop - kept : stop]))
    for plane in volume[stop:]:
        state = add_plane(state, plane)
    assert_equal_states(state, streamed(volume, lags))


@given(volumes, lag_counts, st.data())
@settings(max_examples=40, deadline=None)
def test_unmeasured_planes_leave_depth_true_and_count_nothing(
    volume: Volume, lags: int, data: st.DataObject
) -> None:
    """With planes missing, z pairs are those of measured planes at their true distance; a path never
    crosses.
    """
    measured = data.draw(st.lists(st.booleans(), min_size=len(volume), max_size=len(volume)))
    state = start_metrics(*volume.shape[1:], lags=lags)
    for plane, seen in zip(volume, measured, strict=True):
        state = add_plane(state, plane) if seen else add_unmeasured_plane(state)
    pairs, paths = np.zeros(lags + 1, int), np.zeros(lags + 1, int)
    for upper in range(len(volume)):
        for lower in range(upper, min(upper + lags + 1, len(volume))):
            solid = volume[upper : lower + 1] == 1
            if measured[upper] and measured[lower]:
                pairs[lower - upper] += np.count_nonzero(solid[0] & solid[-1])
            if all(measured[upper : lower + 1]):
                paths[lower - upper] += np.count_nonzero(solid.all(axis=0))
    np.testing.assert_array_equal(state.region.counts.pairs[2].sum(axis=(-2, -1)), pairs)
    np.testing.assert_array_equal(state.region.counts.paths[2].sum(axis=(-2, -1)), paths)
    assert state.region.counts.plane_pairs[0] == sum(measured)


@given(st.integers(1, 7), st.integers(0, 7), lag_counts, st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_patches_split_merged_and_restarted_are_those_of_the_whole(
    planes: int, stop: int, lags: int, seed: int
) -> None:
    """Cut anywhere, merged or gone on from a journal, with positions that were not measured: every count of
    every patch is the same."""
    rng = np.random.default_rng(seed)
    volume = (rng.random((planes, 70, 140)) < 0.7).astype(np.uint8)
    seen = rng.random(planes) < 0.8
    stop = min(stop, planes)

    def add(state: MetricsState, part: slice) -> MetricsState:
        for plane, is_seen in zip(volume[part], seen[part], strict=True):
            state = add_plane(state, plane) if is_seen else add_unmeasured_plane(state)
        return state

    empty = start_patch_metrics(70, 140, lags=lags, patch_px=64)
    whole = add(empty, slice(None))
    above, below = add(empty, slice(stop)), add(empty, slice(stop, None))
    nothing = np.empty((0, 0), np.uint8)
    stored = [plane if is_seen else nothing for plane, is_seen in zip(volume, seen, strict=True)]
    kept = min(stop, lags)
    restarted = with_planes(without_planes(above), stored[:kept], stored[stop - kept : stop])
    for state in (merge(above, below), add(restarted, slice(stop, None))):
        assert_equal_states(state, whole)
        assert state.patches is not None
        assert whole.patches is not None
        assert_equal_counts(state.patches.counts, whole.patches.counts)


@given(volumes, st.integers(-140, 140), st.integers(-10, 10))
@settings(max_examples=80, deadline=None)
def test_moved_bits_are_moved_pixels(volume: Volume, dx: int, dy: int) -> None:
    """Moving packed planes is moving pixels, with pore entering from outside, for any width and either
    sign.
    """
    solid = volume[0] == 1
    height, width = solid.shape
    expected = np.zeros_like(solid)
    for y in range(height):
        for x in range(width):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                expected[y, x] = solid[y + dy, x + dx]
    np.testing.assert_array_equal(unpack(moved_rows(moved_columns(pack(solid), dx), dy), width), expected)
