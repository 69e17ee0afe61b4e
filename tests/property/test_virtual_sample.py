"""What holds for every virtual sample, voltage and window."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.acquisition import FaceGrid, true_labels
from algorithms.electrons import (
    EPOXY,
    GOLD,
    VOLTAGES_KV,
    backscatter_coefficient,
    layer_depths_nm,
    visible_depth_nm,
)
from algorithms.imaging import backscatter_image
from algorithms.structures import field_at, hierarchical_structure, levelled_wave_field

STRUCTURE = hierarchical_structure(np.random.default_rng(21), coarse_size=32, fine_size=32)
FIELD = levelled_wave_field(32, 10.0, 26.0, np.random.default_rng(22))
voltages = st.floats(*VOLTAGES_KV)
coordinates = st.floats(-1e5, 1e5)


@given(voltages, voltages)
def test_deeper_with_voltage(one: float, other: float) -> None:
    """A higher voltage never sees less deep."""
    low, high = sorted((one, other))
    assert visible_depth_nm(low) <= visible_depth_nm(high)
    assert len(layer_depths_nm(low)) <= len(layer_depths_nm(high))


@settings(max_examples=30, deadline=None)
@given(voltages, st.floats(0, 1), st.floats(1, 12), st.floats(1, 12), st.integers(0, 2**32 - 1))
def test_signal_between_epoxy_and_gold(
    voltage_kv: float, solid_fraction: float, pixel_y_nm: float, pixel_x_nm: float, seed: int
) -> None:
    """Any structure at any voltage and pixel size: no pixel is darker than epoxy or brighter than gold."""
    depths_nm = layer_depths_nm(voltage_kv)
    random = np.random.default_rng(seed).random((len(depths_nm), 17, 23))
    layers = (random < solid_fraction).astype(np.uint8)
    image = backscatter_image(layers, depths_nm, voltage_kv, (pixel_y_nm, pixel_x_nm))
    assert image.min() >= backscatter_coefficient(EPOXY, voltage_kv) - 1e-3
    assert image.max() <= backscatter_coefficient(GOLD, voltage_kv) + 1e-3


@settings(max_examples=30, deadline=None)
@given(coordinates, coordinates, st.integers(0, 30), st.integers(0, 30), st.floats(0, 1e4))
def test_windows_agree_where_they_overlap(y: float, x: float, down: int, right: int, depth_nm: float) -> None:
    """The sample does not depend on the window it is seen through, but for rounding on an edge."""
    wide = FaceGrid(64, 64, 3.26, 4.14, y, x)
    part = FaceGrid(32, 32, 3.26, 4.14, y + down, x + right)
    seen = true_labels(STRUCTURE, depth_nm, wide)[down : down + 32, right : right + 32]
    assert (seen != true_labels(STRUCTURE, depth_nm, part)).sum() <= 4


@settings(max_examples=30, deadline=None)
@given(coordinates, coordinates, coordinates)
def test_field_repeats_with_its_period(z: float, y: float, x: float) -> None:
    """One period further in any direction the field has the same value."""
    here = field_at(FIELD, *(np.array([c, c + 320.0]) for c in (z, y, x)))
    assert np.ptp(here) < 2e-4
