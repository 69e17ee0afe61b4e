"""Components found plane by plane are those of the whole volume, for any split, merge and restart."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.connectivity import (
    ConnectivityState,
    component_count,
    connectivity_of,
    join,
    largest_share,
    with_faces,
    without_faces,
)

Volume = NDArray[np.uint8]
volumes = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)),
    elements=st.sampled_from([0, 0, 1, 1, 2]),
)


def streamed(volume: Volume) -> ConnectivityState:
    state = ConnectivityState()
    for plane in volume:
        state = join(state, connectivity_of(plane))
    return state


def assert_equal(a: ConnectivityState, b: ConnectivityState) -> None:
    for field in fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


@given(volumes)
@settings(max_examples=150, deadline=None)
def test_components_are_those_of_the_whole_volume(volume: Volume) -> None:
    """Number and largest share equal a labelling of all voxels at once."""
    state = streamed(volume)
    whole, count = ndimage.label(volume == 1)
    sizes = np.bincount(whole.ravel())[1:]
    assert component_count(state) == count
    assert state.voxels == sizes.sum()
    if count:
        assert largest_share(state) == sizes.max() / sizes.sum()
    else:
        assert np.isnan(largest_share(state))


@given(volumes, st.data())
@settings(max_examples=100, deadline=None)
def test_joining_any_split_in_any_bracketing_is_the_whole(volume: Volume, data: st.DataObject) -> None:
    """Three stacks, empty ones included, join to the state of the stream, number by number."""
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(volume))] * 2)))
    a, b, c = (streamed(part) for part in np.split(volume, [first, second]))
    whole = streamed(volume)
    assert_equal(join(join(a, b), c), whole)
    assert_equal(join(a, join(b, c)), whole)


@given(volumes, st.data())
@settings(max_examples=60, deadline=None)
def test_a_restart_from_the_stored_planes_goes_on_exactly(volume: Volume, data: st.DataObject) -> None:
    """A state without its planes, plus the volume's first and last, continues as if never stopped."""
    stop = data.draw(st.integers(1, len(volume)))
    state = with_faces(without_faces(streamed(volume[:stop])), volume[0], volume[stop - 1])
    for plane in volume[stop:]:
        state = join(state, connectivity_of(plane))
    assert_equal(state, streamed(volume))
