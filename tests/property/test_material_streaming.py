"""The numbers of a run do not depend on where it was interrupted, nor count what was bridged."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from daemon.codec import pack, unpack
from daemon.items import PlaneKind
from daemon.stages.quantifying import (
    MaterialState,
    add_to_material,
    material_curves,
    material_row,
    start_material,
    with_kept,
    without_kept,
)

Volume = NDArray[np.uint8]
volumes = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.just(6), st.just(70)), elements=st.sampled_from([0, 1, 1])
)
LAGS = 4


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Volume, list[PlaneKind]]:
    volume = draw(volumes)
    rest = st.lists(st.sampled_from(PlaneKind), min_size=len(volume) - 1, max_size=len(volume) - 1)
    return volume, [PlaneKind.MEASURED, *draw(rest)]


def added(state: MaterialState, volume: Volume, kinds: list[PlaneKind]) -> MaterialState:
    for labels, kind in zip(volume, kinds, strict=True):
        state = add_to_material(state, labels, kind)
    return state


def told(state: MaterialState) -> tuple[dict[str, object], dict[str, list[float]]]:
    curves = {name: curve.tolist() for name, curve in material_curves(state, 2.5).items()}
    return asdict(material_row(state, state.planes - 1, PlaneKind.MEASURED, 2.5)), curves


@given(stacks(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_journalled_state_goes_on_exactly(
    stack: tuple[Volume, list[PlaneKind]], data: st.DataObject
) -> None:
    """Packed without its planes, read again, completed from the volume: every figure agrees to the bit."""
    volume, kinds = stack
    stop = data.draw(st.integers(1, len(volume)))
    before = added(start_material(6, 70, LAGS), volume[:stop], kinds[:stop])
    kept = min(stop, LAGS)
    state = unpack(MaterialState, pack(without_kept(before)))
    state = with_kept(state, list(volume[:kept]), list(volume[stop - kept : stop]))
    state = added(state, volume[stop:], kinds[stop:])
    whole = added(start_material(6, 70, LAGS), volume, kinds)
    np.testing.assert_equal(told(state), told(whole))
    assert state.bridges == whole.bridges


@given(stacks())
@settings(max_examples=40, deadline=None)
def test_what_a_bridged_plane_shows_changes_nothing(stack: tuple[Volume, list[PlaneKind]]) -> None:
    """Bridged planes may hold anything: all figures stay the same."""
    volume, kinds = stack
    other = volume.copy()
    other[[kind is PlaneKind.BRIDGED for kind in kinds]] = 1
    empty = start_material(6, 70, LAGS)
    np.testing.assert_equal(told(added(empty, volume, kinds)), told(added(empty, other, kinds)))


def test_a_gap_keeps_depth_true_and_breaks_connections() -> None:
    """A wire through three bridged planes is two pieces, its gap is known, and its solid fraction is 1."""
    wire = np.ones((7, 6, 70), np.uint8)
    kinds = [PlaneKind.MEASURED] * 2 + [PlaneKind.BRIDGED] * 3 + [PlaneKind.MEASURED] * 2
    state = added(start_material(6, 70, LAGS), wire, kinds)
    row = material_row(state, 6, PlaneKind.MEASURED, 2.5)
    assert state.bridges == ((2, 5),)
    assert row.solid_fraction == 1.0
    assert row.largest_share == pytest.approx(0.5)
    assert state.metrics.region.counts.plane_pairs.tolist() == [4, 2, 0, 0, 1]
