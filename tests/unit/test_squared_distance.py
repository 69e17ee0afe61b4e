"""Squared distances are the exact ones up to the bound, whatever type holds them."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from algorithms.squared_distance import (
    lower_across_planes,
    squared_distance,
    squared_distance_in_planes,
    squares_type,
)


@pytest.mark.parametrize("reach", [1, 2, 7, 10, 11, 40, 181])
@pytest.mark.parametrize("fill", [0.001, 0.1, 0.9])
def test_equals_the_general_transform_within_reach(reach: int, fill: float) -> None:
    """Exact up to the bound and beyond it above the bound's square, in three axes of unlike length."""
    target = np.random.default_rng(reach).random((19, 70, 45)) < fill
    target[9, 30, 20] = True
    exact = np.rint(distance_transform_edt(~target) ** 2)
    ours = squared_distance(target, reach)
    assert ours.dtype == squares_type(reach)
    near = exact <= reach**2
    np.testing.assert_array_equal(ours[near], exact[near])
    assert (ours[~near] > reach**2).all()


def test_planes_first_and_then_across_them_is_the_same() -> None:
    """What is done plane by plane and strip by strip equals the transform of the whole."""
    target = np.random.default_rng(3).random((40, 30, 20)) < 0.003
    squares = squared_distance_in_planes(target, 200)
    for first in range(0, 30, 7):
        lower_across_planes(squares[:, first : first + 7], 200)
    np.testing.assert_array_equal(squares, squared_distance(target, 200))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 9), (6, 1, 1)])
def test_thin_volumes(shape: tuple[int, int, int]) -> None:
    """One plane, one row, one voxel: no target is far, all targets are near."""
    assert (squared_distance(np.zeros(shape, dtype=np.bool_), 12) > 144).all()
    assert not squared_distance(np.ones(shape, dtype=np.bool_), 12).any()


@pytest.mark.parametrize("reach", [0, 46_341])
def test_a_reach_that_no_type_holds_is_refused(reach: int) -> None:
    """Before any overflow."""
    with pytest.raises(ValueError, match="reach"):
        squared_distance(np.zeros((2, 2, 2), dtype=np.bool_), reach)
