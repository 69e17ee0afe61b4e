"""The bounded signed distance is the exact one, cut off."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from algorithms.signed_distance import signed_distance


@pytest.mark.parametrize("reach_px", [1, 3, 6, 10])
@pytest.mark.parametrize("fill", [0.02, 0.5, 0.98])
def test_equals_the_general_transform_within_reach(reach_px: int, fill: float) -> None:
    """Positive in the solid, half a pixel at the boundary, equal to scipy's Euclidean transform, clipped."""
    solid = np.random.default_rng(reach_px).random((61, 47)) < fill
    exact = np.where(solid, distance_transform_edt(solid) - 0.5, 0.5 - distance_transform_edt(~solid))
    np.testing.assert_allclose(
        signed_distance(solid, reach_px), np.clip(exact, -reach_px, reach_px), atol=1e-6
    )


@pytest.mark.parametrize("value", [False, True])
def test_a_plane_of_one_phase_is_far_from_any_boundary(value: bool) -> None:
    """Without a boundary the distance is the bound."""
    plane = signed_distance(np.full((5, 7), value), 3)
    np.testing.assert_array_equal(plane, 3.0 if value else -3.0)


@pytest.mark.parametrize("reach_px", [0, 11])
def test_a_reach_that_does_not_fit_is_refused(reach_px: int) -> None:
    """Eight bits hold squared distances up to a reach of 10 px."""
    with pytest.raises(ValueError, match="reach"):
        signed_distance(np.zeros((3, 3), dtype=bool), reach_px)
