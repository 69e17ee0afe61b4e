"""Components, fractions, the rolling ball and depths below a particle's boundary, on known bodies and in
slabs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.balls import BlockSize
from algorithms.components import components, largest_in, members
from algorithms.fractions import fractions, section_counts, shell_counts
from algorithms.rolling_ball import Effort, outside_of_particle, squared_depths

from .pore_bodies import ball, network

Mask = NDArray[np.bool_]
WHOLE = Effort(1000, BlockSize(10**9))
CUT = Effort(5, BlockSize(26**3))


def outside_of(void: Mask, radius: float, effort: Effort) -> NDArray[np.uint8]:
    """What a rolling ball reaches."""
    outside, one, other = (np.zeros(void.shape, dtype=np.uint8) for _ in range(3))
    outside_of_particle(void, outside, (one, other), radius, effort)
    return outside


def particle_with_pores() -> Mask:
    """A ball of 16 voxels with a closed hole, and a channel of 5 × 5 voxels from outside to its middle."""
    solid = ball(48, 16.0)
    solid[13:17, 22:26, 22:26] = False
    solid[24:, 22:27, 22:27] = False
    return solid


@pytest.mark.parametrize("planes", [2, 7, 100])
def test_components_are_those_of_the_whole(planes: int) -> None:
    """Number, sizes and ends reached, whatever the slabs, against labelling at once."""
    phase = network(33, 1.2, seed=3, share=0.3)
    found = components(phase, planes)
    pieces, count = ndimage.label(phase)
    sizes = np.bincount(pieces.ravel())[1:]
    assert found.sizes.size == count
    np.testing.assert_array_equal(np.sort(found.sizes), np.sort(sizes))
    for axis in range(3):
        ends = [np.setdiff1d(pieces.take(end, axis=axis), [0]) for end in (0, -1)]
        both = np.intersect1d(*ends)
        assert found.share(found.spanning(axis)) == pytest.approx(sizes[both - 1].sum() / sizes.sum())
        mask = np.concatenate([part for _, part in members(phase, found, found.spanning(axis))])
        np.testing.assert_array_equal(mask, np.isin(pieces, both))
    values = np.random.default_rng(0).random(phase.shape)
    theirs = ndimage.maximum(values, pieces, np.arange(1, count + 1))
    np.testing.assert_array_equal(np.sort(largest_in(phase, values, found)), np.sort(theirs))


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 3, 3)])
def test_components_of_empty_and_full_volumes(value: bool, shape: tuple[int, int, int]) -> None:
    """None, or one that spans everything; of one plane too."""
    found = components(np.full(shape, value), 2)
    assert found.sizes.tolist() == ([np.prod(shape)] if value else [])
    assert all(found.spanning(axis).any() == value for axis in range(3))


@pytest.mark.parametrize(("radius", "enters"), [(1.5, True), (4.0, False)])
def test_a_ball_enters_what_is_wider_than_it(radius: float, enters: bool) -> None:
    """A channel of 5 voxels takes in a ball of 1.5 voxels and not one of 4; a closed hole neither."""
    solid = particle_with_pores()
    outside = outside_of(~solid, radius, WHOLE) != 0
    assert not (outside & solid).any()
    assert outside[30, 24, 24] == enters
    assert not outside[15, 24, 24]
    assert outside[0].all()


def test_the_particle_is_the_same_in_blocks() -> None:
    """Outside and depths, block by block against all at once and against scipy's transform."""
    void = ~particle_with_pores()
    outside = outside_of(void, 4.0, WHOLE)
    np.testing.assert_array_equal(outside_of(void, 4.0, CUT), outside)
    depths = [np.zeros(void.shape, dtype=np.uint32) for _ in range(2)]
    for squares, effort in zip(depths, (WHOLE, CUT), strict=True):
        squared_depths(outside, squares, effort)
    np.testing.assert_array_equal(*depths)
    np.testing.assert_array_equal(depths[0], np.rint(ndimage.distance_transform_edt(outside == 0) ** 2))


def test_a_full_volume_has_no_outside() -> None:
    """No void, no way in; and a ball larger than all pores finds none either."""
    assert not outside_of(np.zeros((5, 6, 7), dtype=np.bool_), 2.0, WHOLE).any()
    assert not outside_of(network(20, 1.5, seed=1), 15.0, WHOLE).any()


@pytest.mark.parametrize("planes", [3, 100])
def test_fractions_of_a_ball_with_a_denser_shell(planes: int) -> None:
    """Phase 1 alone in the outer 4 voxels, a checkerboard of phases 0 and 2 below: shells, sections and
    shares."""
    particle, core = ball(41, 18.0), ball(41, 13.0)
    labels = np.where(particle, 1, 0).astype(np.uint8)
    checks = np.indices(labels.shape).sum(axis=0) % 2
    labels[core] = 2 * checks[core]
    outside = (~particle).astype(np.uint8)
    counted = section_counts(labels, outside, 3, planes)
    for axis in range(3):
        others = tuple(one for one in range(3) if one != axis)
        for phase in range(3):
            expected = ((labels == phase) & particle).sum(axis=others)
            np.testing.assert_array_equal(counted.inside[axis][phase], expected)
    squares = np.rint(ndimage.distance_transform_edt(particle) ** 2).astype(np.uint32)
    shells = shell_counts(labels, squares, 3, 1.0, planes)
    assert shells.sum() == np.count_nonzero(particle)
    shares = fractions(shells)
    np.testing.assert_array_equal(shares[1, :4], 1.0)
    np.testing.assert_allclose(shares[:, 7:14], [[0.5] * 7, [0.0] * 7, [0.5] * 7], atol=0.08)


def test_sections_without_particle_are_unknown() -> None:
    """A cross-section that has nothing of the particle has no share, not a share of 0."""
    counts = np.asarray([[0, 2], [0, 6]])
    np.testing.assert_array_equal(fractions(counts), [[np.nan, 0.25], [np.nan, 0.75]])
