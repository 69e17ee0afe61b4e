"""The filling around the network: which slices it sees, when it is not asked, what it leaves alone."""

import numpy as np
import pytest

from algorithms.interpolation import add_slice, finish, start_interpolation
from algorithms.plane_inpainting import (
    END_STEP,
    LONGEST_GAP,
    MAPS,
    OFFSET_SCALE,
    REACH_PX,
    SLICES,
    around,
    plane_inpainting,
    plane_maps,
)
from algorithms.signed_distance import signed_distance
from algorithms.slice_filling import fill_cubic

SIDE = 24


def discs(centres: list[float], radius: float = 6.0) -> np.ndarray:
    """A leaning cylinder: a disc a slice, ``centres`` along x."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([((y - 12) ** 2 + (x - centre) ** 2 < radius**2).astype(np.uint8) for centre in centres])


def as_the_spline(maps: np.ndarray) -> np.ndarray:
    """A network that has learned nothing: its answer is the sign of the spline's map."""
    return np.stack([-maps[-2], maps[-2]])


def test_planes_become_final_when_the_splines_do() -> None:
    """Three slices on either side, so the look-ahead is that of the cubic filling."""
    filling = plane_inpainting(as_the_spline)
    assert (filling.before, filling.after) == (SLICES // 2, SLICES // 2)


def test_the_maps_say_where_the_plane_lies() -> None:
    """Bounded distances, offsets along z, the share of the way from slice to slice."""
    positions = np.asarray([0, 3, 7, 12, 15, 20])
    faces = discs([8, 9, 10, 11, 12, 13])
    distances = np.stack([signed_distance(face > 0, REACH_PX) for face in faces])
    maps = plane_maps(positions, distances, 9)
    assert maps.shape == (MAPS, SIDE, SIDE)
    assert maps.dtype == np.float32
    assert np.abs(maps[:SLICES]).max() <= 1.0
    np.testing.assert_allclose(maps[SLICES : 2 * SLICES, 0, 0] * OFFSET_SCALE, positions - 9, atol=1e-6)
    np.testing.assert_allclose(maps[-1], 0.4, atol=1e-6)


def test_a_leaning_cylinder_is_painted_between_its_discs() -> None:
    """With the spline for a network, the disc of a plane half way lies half way."""
    positions = np.arange(6, dtype=np.int64) * 4
    filling = plane_inpainting(as_the_spline)
    (painted,) = filling.fill(positions, discs([4, 6, 8, 10, 12, 14]), np.asarray([9, 10, 11]))
    centres = [np.nonzero(plane)[1].mean() for plane in painted]
    np.testing.assert_allclose(centres, [8.5, 9.0, 9.5], atol=0.15)


@pytest.mark.parametrize("lost", [1, 2])
def test_at_the_ends_of_a_run_the_last_slice_stands_for_those_beyond(lost: int) -> None:
    """Repeated at even steps, so that a network never sees fewer than it was trained on."""
    slices, labels = np.arange(6, dtype=np.int64) * 4, discs([4, 6, 8, 10, 12, 14])
    positions, faces = around(slices[lost:], labels[lost:], upper=2 - lost)
    assert positions[:lost].tolist() == [int(slices[lost]) - END_STEP * k for k in range(lost, 0, -1)]
    assert positions[lost:].tolist() == slices[lost:].tolist()
    assert all(np.array_equal(face, labels[lost]) for face in faces[:lost])
    positions, faces = around(slices[:-lost], labels[:-lost], upper=2)
    assert positions[-1] == slices[-1 - lost] + END_STEP * lost
    assert np.array_equal(faces[-1], labels[-1 - lost])


def test_a_gap_wider_than_was_trained_is_splined() -> None:
    """A network is not asked about what it never saw."""

    def never(maps: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was asked")

    slices = np.asarray([0, 4, 8, 9 + LONGEST_GAP, 30, 34])
    labels, planes = discs([4, 5, 6, 8, 9, 10]), np.arange(9, 9 + LONGEST_GAP)
    painted = plane_inpainting(never).fill(slices, labels, planes)
    splined = fill_cubic(slices, labels, planes)
    np.testing.assert_array_equal(np.concatenate(list(painted)), np.concatenate(list(splined)))


def test_a_further_phase_keeps_its_label() -> None:
    """Solid from pore is the network's; which solid it is follows the slices."""
    slices, labels = np.arange(6, dtype=np.int64) * 4, discs([10] * 6) * np.uint8(2)
    (painted,) = plane_inpainting(as_the_spline).fill(slices, labels, np.asarray([9, 10, 11]))
    assert set(np.unique(painted)) == {0, 2}


def test_streamed_planes_equal_those_of_the_whole_run() -> None:
    """Slice by slice, what becomes final is what one fill of all slices gives."""
    rng = np.random.default_rng(3)
    positions = np.concatenate(([0], np.cumsum(rng.integers(1, 9, 11))))
    labels = discs(list(np.linspace(6, 18, 12)))
    filling = plane_inpainting(as_the_spline)
    state, parts = start_interpolation(longest_bridge_planes=100), []
    for position, face in zip(positions, labels, strict=True):
        state, planes = add_slice(filling, state, int(position), face)
        parts += [group.labels for group in planes]
    streamed = np.concatenate([*parts, *(group.labels for group in finish(filling, state)[1])])
    for upper in range(11):
        between = np.arange(positions[upper] + 1, positions[upper + 1])
        if between.size:
            first = max(0, upper - 2)
            window = slice(first, upper + 4)
            (batch,) = filling.fill(positions[window], labels[window], between)
            np.testing.assert_array_equal(streamed[between], batch)
