"""Local thickness of bars and discs, against the definition, and additive over planes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from algorithms.bitplanes import pack, unpack
from algorithms.local_thickness import disc_half_chords, mean_thickness_px, opened, thickness_counts

DIAMETERS = tuple(range(1, 52))


def opened_by_definition(solid: NDArray[np.bool_], diameter_px: int) -> NDArray[np.bool_]:
    """Put the disc wherever it fits inside the solid, one position after the other."""
    disc = [(dy, dx) for dy, first, last in disc_half_chords(diameter_px) for dx in range(first, last + 1)]
    height, width = solid.shape
    covered = np.zeros_like(solid)
    for y in range(height):
        for x in range(width):
            pixels = [(y + dy, x + dx) for dy, dx in disc]
            if all(0 <= v < height and 0 <= u < width and solid[v, u] for v, u in pixels):
                for pixel in pixels:
                    covered[pixel] = True
    return covered


@pytest.mark.parametrize("diameter_px", [1, 2, 3, 4, 7, 8])
def test_an_opening_is_all_that_fitting_discs_cover(diameter_px: int) -> None:
    """The packed opening equals the definition on a random plane wider than a word, the region's edge
    included.
    """
    solid = np.random.default_rng(diameter_px).random((18, 75)) < 1.0 - 0.3 / diameter_px**1.5
    np.testing.assert_array_equal(
        unpack(opened(pack(solid), diameter_px), 75), opened_by_definition(solid, diameter_px)
    )


@pytest.mark.parametrize("diameter_px", [1, 2, 5, 6, 44])
def test_a_disc_spans_its_diameter(diameter_px: int) -> None:
    """Widest row and number of rows are the diameter, odd or even."""
    rows = disc_half_chords(diameter_px)
    assert len(rows) == diameter_px
    assert max(last - first + 1 for _, first, last in rows) == diameter_px


@pytest.mark.parametrize("width_px", [1, 4, 13, 40])
def test_bars_have_their_width(width_px: int) -> None:
    """A bar along x or y has exactly its width as mean thickness, away from its ends."""
    bar = np.zeros((400, 90), dtype=np.bool_)
    bar[:, 20 : 20 + width_px] = True
    for plane in (bar, np.ascontiguousarray(bar.T)):
        mean = mean_thickness_px(thickness_counts(plane, DIAMETERS), DIAMETERS)
        assert mean == pytest.approx(width_px, rel=0.01)


def test_round_ligaments_have_their_diameter() -> None:
    """Discs of 44 px anywhere between the pixels: mean thickness within 3 % of their diameter."""
    counts = np.zeros(len(DIAMETERS) + 1, dtype=np.int64)
    for cy, cx in np.random.default_rng(0).uniform(32.5, 33.5, (10, 2)):
        y, x = np.ogrid[:66, :66]
        counts += thickness_counts((y - cy) ** 2 + (x - cx) ** 2 <= 22.0**2, DIAMETERS)
    assert mean_thickness_px(counts, DIAMETERS) == pytest.approx(44.0, rel=0.03)


def test_every_solid_pixel_is_counted_once() -> None:
    """Entries add up to the solid area; what no disc of the list covers is in the first; no solid: NaN."""
    solid = np.random.default_rng(1).random((40, 100)) < 0.8
    counts = thickness_counts(solid, (2, 3, 5, 9))
    assert counts.sum() == np.count_nonzero(solid)
    assert counts[0] == np.count_nonzero(solid & ~opened_by_definition(solid, 2))
    assert np.isnan(mean_thickness_px(thickness_counts(np.zeros((5, 5), dtype=np.bool_), (1, 2)), (1, 2)))


@pytest.mark.parametrize("diameters_px", [(), (0, 1), (3, 2)])
def test_diameters_must_increase(diameters_px: tuple[int, ...]) -> None:
    """Anything else has no histogram."""
    with pytest.raises(ValueError, match="increasing"):
        thickness_counts(np.ones((3, 3), dtype=np.bool_), diameters_px)
