"""Repositioning online is repositioning in batch."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from algorithms.reposition import RepositionState, place, place_all

depths = st.lists(st.floats(-5.0, 500.0), max_size=60)
grids = st.sampled_from([1.0, 2.5, 3.26, 10.0])


@given(depths, grids)
def test_order_is_kept_and_no_slice_is_lost(depths_nm: list[float], grid_nm: float) -> None:
    """Every slice has its own plane and planes increase strictly, whatever the depths."""
    planes = place_all(depths_nm, grid_nm)
    assert len(planes) == len(depths_nm)
    assert all(lower > upper for upper, lower in pairwise(planes))


@given(depths, grids, st.integers(0, 60))
def test_a_restart_anywhere_continues_as_if_never_stopped(
    depths_nm: list[float], grid_nm: float, stop: int
) -> None:
    """The state is the last plane: what was placed before a restart is the prefix of the batch result."""
    batch = place_all(depths_nm, grid_nm)
    before = batch[:stop]
    state, after = RepositionState(grid_nm, before[-1] if before else -1), list[int]()
    for depth_nm in depths_nm[stop:]:
        state, plane = place(state, depth_nm)
        after.append(plane)
    assert before + after == batch


@given(st.lists(st.floats(2.6, 40.0), max_size=60))
def test_slices_thicker_than_the_grid_lie_at_their_rounded_depth(thickness_nm: list[float]) -> None:
    """Without collisions nothing is displaced: every slice is within half a plane of its depth."""
    depths_nm = [sum(thickness_nm[:index]) for index in range(len(thickness_nm) + 1)]
    planes = place_all(depths_nm, 2.5)
    assert all(abs(p * 2.5 - d) <= 1.25 + 1e-9 for p, d in zip(planes, depths_nm, strict=True))
