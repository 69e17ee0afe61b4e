"""What the beam sees follows from its range in the material."""

import numpy as np
import pytest

from algorithms.electrons import (
    EPOXY,
    GOLD,
    Material,
    backscatter_coefficient,
    depth_of_share_nm,
    electron_range_nm,
    layer_depths_nm,
    visibility,
    visible_depth_nm,
)


@pytest.mark.parametrize(
    ("material", "voltage_kv", "range_nm"),
    [(GOLD, 10.0, 271.0), (GOLD, 1.0, 5.8), (EPOXY, 1.0, 56.1), (EPOXY, 4.0, 568.0)],
)
def test_range_is_kanaya_okayama(material: Material, voltage_kv: float, range_nm: float) -> None:
    """Ranges worked out by hand from the published formula."""
    assert electron_range_nm(material, voltage_kv) == pytest.approx(range_nm, rel=5e-3)


@pytest.mark.parametrize("voltage_kv", [0.3, 10.5, float("nan")])
def test_voltage_outside_the_model_is_refused(voltage_kv: float) -> None:
    """The error says what was asked and what holds."""
    with pytest.raises(ValueError, match=r"holds from 0\.5 to 10 kV"):
        electron_range_nm(EPOXY, voltage_kv)


def test_bulk_coefficients_are_the_published_ones() -> None:
    """η at 1, 2, 4 and 10 keV of gold and of epoxy, and monotone in between and below."""
    energies = (1.0, 2.0, 4.0, 10.0)
    assert [backscatter_coefficient(GOLD, e) for e in energies] == [0.44, 0.47, 0.48, 0.48]
    assert [backscatter_coefficient(EPOXY, e) for e in energies] == [0.12, 0.10, 0.08, 0.07]
    assert np.all(np.diff([backscatter_coefficient(GOLD, e) for e in np.linspace(0.5, 4, 20)]) > 0)
    assert np.all(np.diff([backscatter_coefficient(EPOXY, e) for e in np.linspace(0.5, 10, 40)]) < 0)


def test_higher_voltage_sees_deeper() -> None:
    """1 < 2 < 4 kV, and the visible depth scales with the range, E^1.67."""
    depths = [visible_depth_nm(v) for v in (0.5, 1.0, 2.0, 4.0, 10.0)]
    assert np.all(np.diff(depths) > 0)
    assert depths[3] / depths[2] == pytest.approx(2**1.67)


def test_visible_depth_is_where_the_response_falls_to_one_over_e() -> None:
    """depth_of_share_nm inverts the response."""
    reduced = np.array([visible_depth_nm(2.0) / (electron_range_nm(EPOXY, 2.0) / 2)], dtype=np.float32)
    assert visibility(reduced)[0] == pytest.approx(np.exp(-1), abs=1e-6)


def test_nothing_is_seen_below_half_the_range() -> None:
    """The electron has to come back: the response is 1 at the face, falls, and ends at u = 1."""
    response = visibility(np.linspace(0, 1.5, 31).astype(np.float32))
    assert response[0] == 1
    assert np.all(np.diff(response) <= 0)
    assert np.all(response[20:] == 0)


@pytest.mark.parametrize("voltage_kv", [0.5, 1.0, 2.0, 4.0, 10.0])
def test_layers_reach_as_deep_as_anything_is_seen(voltage_kv: float) -> None:
    """The first layer is the face, the last the first at which at most 1 % of the response is left."""
    depths = layer_depths_nm(voltage_kv)
    assert depths[0] == 0
    assert depths[-2] < depth_of_share_nm(0.01, voltage_kv) <= depths[-1]


def test_voltages_share_their_layers() -> None:
    """The layers of a lower voltage are the first ones of a higher voltage; the first step is step_nm."""
    shallow, deep = layer_depths_nm(1.0, step_nm=2.0), layer_depths_nm(4.0, step_nm=2.0)
    assert np.array_equal(shallow, deep[: len(shallow)])
    assert deep[1] == pytest.approx(2.0, rel=0.02)
