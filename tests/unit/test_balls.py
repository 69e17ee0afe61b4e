"""Balls in known bodies: their sizes, what they cover, and where they get in."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from algorithms.balls import (
    LARGEST_RADIUS,
    BlockSize,
    covered_counts,
    fitting_levels,
    half_radius,
    is_cut_off,
    largest_radius,
    mean_diameter,
    radii_up_to,
)
from algorithms.widest_paths import widest_paths

from .pore_bodies import ball, necked_tube, network, tube

WHOLE = BlockSize(10**9)
Mask = NDArray[np.bool_]


def levels_in(phase: Mask, radii: tuple[float, ...], size: BlockSize = WHOLE) -> NDArray[np.uint8]:
    """How many of the radii fit at each voxel."""
    levels = np.zeros(phase.shape, dtype=np.uint8)
    fitting_levels(phase, levels, radii, size)
    return levels


def reached_from_first(levels: NDArray[np.uint8], planes: int = 10**6) -> NDArray[np.uint8]:
    """The same for balls that come in through the first plane."""
    reached = np.zeros_like(levels)
    reached[0] = levels[0]
    widest_paths(levels, reached, planes)
    return reached


def sizes(phase: Mask) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """Radii and the shares that balls cover."""
    radii = radii_up_to(largest_radius(phase, WHOLE))
    counts = covered_counts([levels_in(phase, radii)], [None], radii, WHOLE)[0]
    return radii, counts / np.count_nonzero(phase)


@pytest.mark.parametrize("width", [3, 9, 15])
def test_a_slab_of_an_odd_number_of_voxels_has_its_thickness(width: int) -> None:
    """Largest ball, mean local thickness and r_max, all exactly."""
    phase = np.zeros((12, 40, 12), dtype=np.bool_)
    phase[:, 10 : 10 + width] = True
    radii, shares = sizes(phase)
    assert largest_radius(phase, WHOLE) == width / 2
    counts = (shares * np.count_nonzero(phase)).astype(np.int64)
    assert mean_diameter(radii, counts) == pytest.approx(width)
    assert half_radius(radii, shares) == width / 2


@pytest.mark.parametrize("radius", [5.0, 8.3, 14.0])
@pytest.mark.parametrize("body", ["ball", "tube"])
def test_round_bodies_have_their_radius(body: str, radius: float) -> None:
    """To half the diagonal of a voxel."""
    side = 2 * int(np.ceil(radius)) + 5
    phase = ball(side, radius) if body == "ball" else tube(12, side, radius)
    radii, shares = sizes(phase)
    bound = np.sqrt(3.0) / 2.0
    assert largest_radius(phase, WHOLE) == pytest.approx(radius, abs=bound)
    assert half_radius(radii, shares) == pytest.approx(radius, abs=bound)


@pytest.mark.parametrize("neck", [slice(20, 24), slice(10, 30)])
def test_constrictivity_of_a_tube_with_a_neck(neck: slice) -> None:
    """Behind a neck of 4.5 voxels in a tube of 9.5 balls wider than the neck do not get, so that r_min is the
    neck's and r_max the tube's radius: β = (4.5 / 9.5)² to the voxel.
    """
    phase = necked_tube(60, 25, wide=9.5, narrow=4.5, neck=neck)
    radii = radii_up_to(largest_radius(phase, WHOLE))
    levels = levels_in(phase, radii)
    covered, reached = covered_counts([levels, reached_from_first(levels)], [None, None], radii, WHOLE)
    total = np.count_nonzero(phase)
    r_max, r_min = half_radius(radii, covered / total), half_radius(radii, reached / total)
    assert r_max == pytest.approx(9.5, abs=0.87)
    assert r_min == pytest.approx(4.5, abs=0.87)
    before_the_neck = np.count_nonzero(phase[: neck.start]) / total
    assert reached[radii.index(6.0)] / total == pytest.approx(before_the_neck, abs=0.05)


def test_cover_is_what_the_definition_says() -> None:
    """Counts of a random network equal putting every ball where it fits, radius by radius, larger ones
    kept."""
    phase = network(24, 2.0, seed=5)
    radii = radii_up_to(largest_radius(phase, WHOLE))
    ours = covered_counts([levels_in(phase, radii)], [None], radii, WHOLE)[0]
    distance, cover = distance_transform_edt(phase), np.zeros_like(phase)
    for index in reversed(range(len(radii))):
        centres = distance >= radii[index] + 0.5 - 1e-9
        cover |= distance_transform_edt(~centres) < radii[index] + 0.5 - 1e-9
        assert ours[index] == np.count_nonzero(cover & phase) == np.count_nonzero(cover)


def test_blocks_and_slabs_give_the_whole_volume() -> None:
    """Largest radius, levels, intrusion and counts, in blocks with halos against all at once."""
    phase = network(45, 3.0, seed=6)
    small = BlockSize(30**3)
    assert largest_radius(phase, small) == largest_radius(phase, WHOLE)
    radii = radii_up_to(largest_radius(phase, WHOLE))
    levels = levels_in(phase, radii)
    np.testing.assert_array_equal(levels_in(phase, radii, small), levels)
    reached = reached_from_first(levels)
    np.testing.assert_array_equal(reached_from_first(levels, planes=4), reached)
    inner = network(45, 2.0, seed=7)
    fields, within = [levels, reached, reached], [None, None, inner]
    whole = covered_counts(fields, within, radii, WHOLE)
    np.testing.assert_array_equal(covered_counts(fields, within, radii, small), whole)
    assert (whole[1] <= whole[0]).all()
    assert (whole[2] < whole[1]).any()


def test_a_widest_path_is_as_wide_as_its_narrowest_place() -> None:
    """Against labelling at every level: a voxel is reached by a radius if it hangs together with the
    entry."""
    from scipy.ndimage import label

    capacity = np.random.default_rng(8).integers(0, 6, (15, 16, 17), dtype=np.uint8)
    reached = reached_from_first(capacity)
    for level in range(1, 6):
        pieces, _ = label(capacity >= level)
        entered = np.setdiff1d(np.unique(pieces[0]), [0])
        np.testing.assert_array_equal(reached >= level, np.isin(pieces, entered))


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_volumes(value: bool) -> None:
    """No ball without the phase; where nothing ends it, the widest that there is."""
    phase = np.full((6, 5, 4), value)
    assert largest_radius(phase, WHOLE) == (LARGEST_RADIUS if value else 0.0)
    radii = radii_up_to(2.0)
    counts = covered_counts([levels_in(phase, radii)], [None], radii, WHOLE)[0]
    assert (counts == (phase.size if value else 0)).all()


def test_half_radius_and_mean_of_nothing_are_unknown() -> None:
    """NaN, never a number."""
    assert np.isnan(half_radius((1.0, 2.0), np.asarray([0.4, 0.1])))
    assert np.isnan(mean_diameter((1.0, 2.0), np.zeros(2, dtype=np.int64)))
    assert half_radius((1.0, 2.0, 3.0), np.asarray([1.0, 0.75, 0.25])) == pytest.approx(2.5)


def test_too_many_radii_are_refused() -> None:
    """A byte counts them."""
    with pytest.raises(ValueError, match="255"):
        fitting_levels(
            np.ones((2, 2, 2), dtype=np.bool_), np.zeros((2, 2, 2), dtype=np.uint8), range(1, 300), WHOLE
        )


@pytest.mark.parametrize(("width", "cut_off"), [(357, False), (358, False), (359, True), (400, True)])
def test_balls_beyond_the_widest_are_cut_off_and_say_so(width: int, cut_off: bool) -> None:
    """A slab of 357 voxels has its radius; of a wider one no more is known than that it is 179 or wider.

    (Balls have voxels as centres, so of an even number of voxels they fill one less.)
    """
    phase = np.zeros((2, width + 2, 2), dtype=np.bool_)
    phase[:, 1:-1] = True
    radii = radii_up_to(largest_radius(phase, WHOLE))
    assert radii[-1] == min((width - 1) // 2 + 0.5, LARGEST_RADIUS)
    assert is_cut_off(radii) == cut_off
    assert levels_in(phase, radii).max() == len(radii)
