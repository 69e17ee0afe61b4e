"""Slices land on the nearest free plane, in order, and never move again."""

import numpy as np
import pytest

from algorithms.reposition import place, place_all, start_reposition


@pytest.mark.parametrize(
    ("depths_nm", "planes"),
    [
        ([0.0, 10.0, 20.0], [0, 4, 8]),
        ([0.0, 11.24, 11.26], [0, 4, 5]),
        ([0.0, 1.24, 1.25], [0, 1, 2]),
        ([0.0, 10.0, 9.0, 8.0], [0, 4, 5, 6]),
        ([-0.4, 0.3, 10.0], [0, 1, 4]),
        ([0.0, 1.25, 10.1, 10.2, 10.3, 20.0], [0, 1, 4, 5, 6, 8]),
    ],
    ids=["regular", "rounding", "collision at 0", "depth falls back", "noise above 0", "pile, then recovers"],
)
def test_slices_take_the_nearest_free_plane_behind_the_last(
    depths_nm: list[float], planes: list[int]
) -> None:
    """Rounding to the grid, and the next free position where it is taken; later slices are not displaced."""
    assert place_all(depths_nm, 2.5) == planes


def test_gamma_distributed_slices_stay_within_a_plane_of_their_depth() -> None:
    """On a 2.5 nm grid slices of 10 ± 3 nm keep their depth to half a plane, but for the odd collision."""
    depths_nm = np.cumsum(np.random.default_rng(5).gamma(10.6, 0.96, 2000))
    apart = np.asarray(place_all(depths_nm, 2.5)) * 2.5 - depths_nm
    assert np.mean(np.abs(apart) <= 1.25 + 1e-9) > 0.995
    assert np.abs(apart).max() < 3.75


@pytest.mark.parametrize("depth_nm", [np.nan, np.inf])
def test_an_unknown_depth_is_refused(depth_nm: float) -> None:
    """A slice whose depth is unknown is a gap, not a slice somewhere."""
    with pytest.raises(ValueError, match="depth"):
        place(start_reposition(2.5), depth_nm)


@pytest.mark.parametrize("grid_nm", [0.0, -2.5, np.nan])
def test_a_grid_without_spacing_is_refused(grid_nm: float) -> None:
    """The spacing must be a positive number."""
    with pytest.raises(ValueError, match="spacing"):
        start_reposition(grid_nm)
