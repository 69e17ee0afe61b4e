"""A picture of the solid from outside: what is lit, what is hidden, and where it lies."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.relief import relief


def ball(radius: int, side: int) -> np.ndarray:
    z, y, x = (axis - side // 2 for axis in np.ogrid[:side, :side, :side])
    return z * z + y * y + x * x <= radius * radius


def test_a_ball_covers_the_disc_of_its_radius():
    """Parallel rays: π r² of picture, whatever the direction, and no distortion along any axis."""
    for azimuth, elevation in ((0.0, 0.0), (35.0, 30.0), (200.0, 80.0)):
        shade = relief(ball(14, 40), azimuth, elevation, per_voxel=2.0)
        hit = np.isfinite(shade)
        assert hit.sum() / 4.0 == pytest.approx(np.pi * 14.0**2, rel=0.05)
        rows, columns = (np.flatnonzero(hit.any(axis=axis)) for axis in (1, 0))
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)


def test_light_comes_from_the_upper_left():
    """The half of a ball that faces the light is brighter than the other, and brightness is 0…1."""
    shade = relief(ball(14, 40))
    rows, columns = np.nonzero(np.isfinite(shade))
    toward = (rows - rows.mean()) + (columns - columns.mean())
    lit, dark = (shade[rows[side], columns[side]].mean() for side in (toward < -12, toward > 12))
    assert lit > 1.5 * dark
    assert 0.0 <= np.nanmin(shade) <= np.nanmax(shade) <= 1.0


def test_depth_points_down_and_the_first_face_is_on_top():
    """A slab at the beginning of the volume appears above one at its end."""
    first, last = np.zeros((40, 20, 20), bool), np.zeros((40, 20, 20), bool)
    first[2:6], last[34:38] = True, True
    above, below = (np.nonzero(np.isfinite(relief(solid)))[0].mean() for solid in (first, last))
    assert above < below - 30


def test_what_is_nearer_hides_what_is_behind():
    """Seen along z, a small cube before a plate is visible and the plate around it is darker."""
    solid = np.zeros((30, 40, 40), bool)
    solid[25:28] = True
    solid[4:8, 15:25, 15:25] = True
    shade = relief(solid, azimuth_deg=90.0, elevation_deg=90.0)
    row, column = (side // 2 for side in shade.shape)
    assert shade[row, column] > shade[row, column // 3]


def test_nothing_to_see_is_no_error():
    """A volume of pores gives a picture of nothing; what is no volume is refused."""
    assert np.isnan(relief(np.zeros((5, 6, 7), bool))).all()
    with pytest.raises(ValueError, match="volume"):
        relief(np.zeros((5, 6), bool))
