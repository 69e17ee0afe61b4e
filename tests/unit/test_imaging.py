"""The clean image obeys the limits of bulk material, and shows what lies below the face as physics says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.electrons import (
    EPOXY,
    GOLD,
    backscatter_coefficient,
    electron_range_nm,
    layer_depths_nm,
    visibility,
)
from algorithms.imaging import backscatter_image

VOLTAGES = (1.0, 2.0, 4.0)
PIXEL_NM = (3.26, 3.26)


def slab(voltage_kv: float, top_nm: float, bottom_nm: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Layers of a gold slab between two depths in epoxy, as wide as the image."""
    depths_nm = layer_depths_nm(voltage_kv, step_nm=0.5)
    gold = (depths_nm >= top_nm) & (depths_nm < bottom_nm)
    return np.broadcast_to(gold[:, None, None], (len(gold), 8, 8)).astype(np.uint8), depths_nm


@pytest.mark.parametrize("voltage_kv", VOLTAGES)
def test_bulk_shows_its_own_coefficient(voltage_kv: float) -> None:
    """Solid gold gives η of gold, solid epoxy η of epoxy."""
    for thickness_nm, material in ((np.inf, GOLD), (0.0, EPOXY)):
        image = backscatter_image(*slab(voltage_kv, 0, thickness_nm), voltage_kv, PIXEL_NM)
        assert image.dtype == np.float32
        assert image == pytest.approx(backscatter_coefficient(material, voltage_kv), abs=1e-3)


@pytest.mark.parametrize("voltage_kv", VOLTAGES)
@pytest.mark.parametrize("buried_nm", [5.0, 12.0, 40.0])
def test_buried_gold_shines_through_as_the_response(voltage_kv: float, buried_nm: float) -> None:
    """Gold under d nm of epoxy: η_epoxy + (η_gold − η_epoxy)·g(d)."""
    image = backscatter_image(*slab(voltage_kv, buried_nm, np.inf), voltage_kv, PIXEL_NM)
    epoxy, gold = (backscatter_coefficient(m, voltage_kv) for m in (EPOXY, GOLD))
    reduced = np.array([buried_nm / (electron_range_nm(EPOXY, voltage_kv) / 2)], dtype=np.float32)
    assert image[4, 4] == pytest.approx(epoxy + (gold - epoxy) * visibility(reduced)[0], abs=0.012)


def test_thin_gold_is_transparent_to_fast_electrons() -> None:
    """A ligament 10 nm thick at the face loses the more of bulk brightness the higher the voltage."""
    relative = [
        backscatter_image(*slab(v, 0, 10.0), v, PIXEL_NM)[4, 4] / backscatter_coefficient(GOLD, v)
        for v in VOLTAGES
    ]
    assert relative[0] == pytest.approx(1, abs=1e-3)
    assert relative[0] > relative[1] > relative[2] > 0.3


def test_shine_through_grows_with_voltage() -> None:
    """Contrast of gold 15 nm below the face, over that of gold at the face: 1 < 2 < 4 kV."""
    contrast: list[float] = []
    for voltage_kv in VOLTAGES:
        image = backscatter_image(*slab(voltage_kv, 15.0, np.inf), voltage_kv, PIXEL_NM)
        epoxy, gold = (backscatter_coefficient(m, voltage_kv) for m in (EPOXY, GOLD))
        contrast.append(float((image[4, 4] - epoxy) / (gold - epoxy)))
    assert 0.05 < contrast[0] < contrast[1] < contrast[2] < 1


def test_gold_hides_what_is_below() -> None:
    """What lies under gold thicker than half the range changes nothing."""
    layers, depths_nm = slab(1.0, 0, 5.0)
    above = backscatter_image(layers, depths_nm, 1.0, PIXEL_NM)
    more = layers.copy()
    more[-5:] = 1
    assert backscatter_image(more, depths_nm, 1.0, PIXEL_NM) == pytest.approx(above, abs=1e-5)


def edge_width_px(buried_nm: float) -> float:
    """10–90 % width at 4 kV of the edge of a gold half-space that begins at a depth."""
    depths_nm = layer_depths_nm(4.0)
    layers = np.zeros((len(depths_nm), 4, 160), dtype=np.uint8)
    layers[depths_nm >= buried_nm, :, 80:] = 1
    profile = backscatter_image(layers, depths_nm, 4.0, PIXEL_NM)[2]
    profile = (profile - profile.min()) / np.ptp(profile)
    return float(((profile > 0.1) & (profile < 0.9)).sum())


def test_deeper_edges_are_blurred_more() -> None:
    """The edge of gold is sharp at the face, to 4 px, and the wider the deeper it begins."""
    widths = [edge_width_px(d) for d in (0.0, 25.0, 60.0, 120.0)]
    assert widths[0] <= 4
    assert np.all(np.diff(widths) > 2)


def test_image_stays_between_epoxy_and_gold() -> None:
    """Whatever the structure, no pixel is darker than epoxy or brighter than gold."""
    rng = np.random.default_rng(0)
    depths_nm = layer_depths_nm(4.0)
    layers = np.repeat(np.repeat(rng.random((len(depths_nm), 12, 12)) < 0.2, 4, axis=1), 4, axis=2)
    image = backscatter_image(layers.astype(np.uint8), depths_nm, 4.0, PIXEL_NM)
    assert image.min() >= backscatter_coefficient(EPOXY, 4.0) - 1e-4
    assert image.max() <= backscatter_coefficient(GOLD, 4.0) + 1e-4


@pytest.mark.parametrize("voltage_kv", VOLTAGES)
def test_image_is_covariant_with_shifts(voltage_kv: float) -> None:
    """A structure moved by whole pixels gives the image moved by as much, away from the borders."""
    rng = np.random.default_rng(1)
    depths_nm = layer_depths_nm(voltage_kv)
    cells = (rng.random((len(depths_nm), 50, 50)) < 0.15).astype(np.uint8)
    layers = np.repeat(np.repeat(cells, 5, axis=1), 5, axis=2)
    image = backscatter_image(layers, depths_nm, voltage_kv, PIXEL_NM)
    moved = backscatter_image(layers[:, 7:, 3:], depths_nm, voltage_kv, PIXEL_NM)
    assert moved[90:150, 90:150] == pytest.approx(image[97:157, 93:153], abs=2e-4)
