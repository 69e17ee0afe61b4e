"""Marks are drawn exactly: area, centroid and edges are where geometry says, at any sub-pixel position.

The centroid of pixels about a shape differs from the shape's by the aliases of its edges, which a blur takes
away as exp(−2π²σ²); without blur they are at most ¼ px over the shape's length.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from algorithms.marks import (
    Box,
    PixelGrid,
    box_coverage,
    cross_coverage,
    edge_coverage,
    interval_coverage,
    mark_centre_px,
)

position = st.floats(22.0, 40.0)
blur = st.sampled_from([0.0, 0.4, 1.3])


def aliasing(sigma):
    """How much of an edge's alias a blur lets through."""
    return np.exp(-2.0 * (np.pi * sigma) ** 2) + 1e-9


@given(distance=st.floats(-4.0, 4.0), sigma=st.floats(0.2, 2.0))
def test_a_blurred_edge_is_the_integral_of_the_blurred_step_over_the_pixel(distance, sigma):
    """The closed form equals numerical integration."""
    expected, _ = quad(lambda u: norm.cdf(u / sigma), distance - 0.5, distance + 0.5)
    assert edge_coverage(distance, sigma) == pytest.approx(expected, abs=1e-9)


@given(sigma=st.one_of(st.just(0.0), st.floats(1e-3, 2.0)))
def test_a_pixel_on_the_edge_is_half_covered(sigma):
    """By symmetry, whatever the blur."""
    assert edge_coverage(0.0, sigma) == pytest.approx(0.5, abs=1e-12)


@given(start=position, length=st.floats(0.1, 30.0), sigma=blur)
def test_an_interval_keeps_its_length_and_its_centre(start, length, sigma):
    """The pixels' sum is the length and their centroid the middle, at any sub-pixel position."""
    row = interval_coverage(100, start, start + length, sigma_px=sigma)
    assert row.sum() == pytest.approx(length, rel=1e-9)
    assert row @ np.arange(100) / row.sum() == pytest.approx(
        start + length / 2, abs=0.26 / length * aliasing(sigma)
    )


@given(start=position, shift=st.floats(-3.0, 3.0), sigma=blur)
def test_moving_the_grid_is_moving_the_mark_back(start, shift, sigma):
    """Coordinate = index + origin: a grid that starts further on sees the mark earlier."""
    seen = interval_coverage(64, start, start + 7.5, origin_px=shift, sigma_px=sigma)
    moved = interval_coverage(64, start - shift, start + 7.5 - shift, sigma_px=sigma)
    np.testing.assert_allclose(seen, moved, atol=1e-12)


def test_columns_of_edges_draw_a_slanted_bar():
    """Edges of shape (h, 1) give every image row its own interval."""
    starts = 10.0 + 0.37 * np.arange(20)[:, None]
    bar = interval_coverage(60, starts, starts + 5.0)
    centroids = bar @ np.arange(60) / bar.sum(axis=1)
    assert bar.shape == (20, 60)
    np.testing.assert_allclose(centroids, starts[:, 0] + 2.5, atol=0.06)


@settings(max_examples=30)
@given(y=position, x=position, sigma=blur)
def test_a_cross_has_the_area_and_the_centroid_of_its_union(y, x, sigma):
    """The common box of both arms counts once."""
    grid = PixelGrid(64, 64)
    cross = cross_coverage(grid, (y, x), (9.0, 8.0), (4.5, 3.5), sigma)
    area = 18.0 * 3.5 + 16.0 * 4.5 - 3.5 * 4.5
    assert cross.sum() == pytest.approx(area, rel=1e-9)
    assert cross.sum(axis=1) @ np.arange(64) / area == pytest.approx(y, abs=0.05 * aliasing(sigma))
    assert cross.sum(axis=0) @ np.arange(64) / area == pytest.approx(x, abs=0.05 * aliasing(sigma))
    assert cross.min() > -1e-12
    assert cross.max() < 1.0 + 1e-12


def test_a_box_on_pixel_borders_covers_whole_pixels():
    """Pixel i covers [i − ½, i + ½]: this box is the pixels 2…4 by 3…6 and nothing else."""
    coverage = box_coverage(PixelGrid(8, 9), Box(1.5, 4.5, 2.5, 6.5))
    expected = np.zeros((8, 9))
    expected[2:5, 3:7] = 1.0
    np.testing.assert_array_equal(coverage, expected)


@pytest.mark.parametrize(
    ("direction", "angle_deg", "travel_nm"), [(0, 45, 0), (1, 45, 100), (-1, 30, -57.735)]
)
def test_an_inclined_mark_travels_by_the_tangent_of_its_angle(direction, angle_deg, travel_nm):
    """At 100 nm of depth, in pixels of 2 nm."""
    x = mark_centre_px(50.0, 100.0, direction=direction, angle_deg=angle_deg, pixel_size_nm=2.0)
    assert x == pytest.approx(50.0 + travel_nm / 2.0, abs=1e-3)


def test_impossible_shapes_are_refused():
    """A negative blur and a box inside out are mistakes of the caller."""
    with pytest.raises(ValueError, match="not negative"):
        edge_coverage(0.0, -1.0)
    with pytest.raises(ValueError, match="y0 ≤ y1"):
        Box(2.0, 1.0, 0.0, 1.0)
