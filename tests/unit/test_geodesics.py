"""Shortest paths: exact on bodies where they are known, those of another program, and the same in slabs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.graph import MCP_Geometric

from algorithms.geodesics import KNIGHTS, NEIGHBOURS, StepKind, geodesic_lengths

from .pore_bodies import network, oblique_channel

Lengths = NDArray[np.float32]


def lengths_from(
    phase: NDArray[np.bool_], starts: NDArray[np.bool_], planes: int, steps: tuple[StepKind, ...]
) -> Lengths:
    """Path lengths from everywhere to the nearest start."""
    lengths = np.where(starts & phase, np.float32(0), np.float32(np.inf))
    geodesic_lengths(phase, lengths, planes, steps)
    return lengths


def last_plane(phase: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where paths through a volume end."""
    mask = np.zeros_like(phase)
    mask[-1] = True
    return mask


def test_neighbour_steps_give_the_lengths_of_scikit_image() -> None:
    """Every voxel of a random network, to the rounding of single precision; what is cut off stays
    infinite."""
    phase = network(40, 2.0, seed=1)
    ours = lengths_from(phase, last_plane(phase), 40, NEIGHBOURS)
    starts = [(39, int(y), int(x)) for y, x in np.argwhere(phase[-1])]
    theirs, _ = MCP_Geometric(np.where(phase, 1.0, -1.0)).find_costs(starts)
    np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs) & phase)
    reached = np.isfinite(ours)
    np.testing.assert_allclose(ours[reached], theirs[reached], rtol=1e-5)


@pytest.mark.parametrize("steps", [NEIGHBOURS, KNIGHTS], ids=["26", "98"])
@pytest.mark.parametrize("planes", [2, 5, 17])
def test_slabs_give_the_whole_volume_bit_for_bit(steps: tuple[StepKind, ...], planes: int) -> None:
    """Also where paths go back and forth across the borders of slabs."""
    phase = network(41, 1.5, seed=2, share=0.4)
    starts = np.zeros_like(phase)
    starts[20, 20:24] = True
    whole = lengths_from(phase, starts, 41, steps)
    assert np.isfinite(whole).sum() > 100
    np.testing.assert_array_equal(lengths_from(phase, starts, planes, steps), whole)


def test_a_hairpin_over_many_slabs_is_walked_to_its_end() -> None:
    """A channel that turns at both ends of the volume: every leg counts, whatever the slabs."""
    phase = np.zeros((30, 9, 1), dtype=np.bool_)
    phase[:, ::2] = True
    phase[29, 1], phase[0, 3], phase[29, 5], phase[0, 7] = True, True, True, True
    starts = np.zeros_like(phase)
    starts[0, 0] = True
    lengths = lengths_from(phase, starts, 3, NEIGHBOURS)
    corners = 2 * np.sqrt(2.0) - 2.0  # each turn takes two diagonal steps where it took four straight ones
    legs = 5 * 29
    assert lengths[29, 8, 0] == pytest.approx(legs + 4 * corners, abs=0.01)


@pytest.mark.parametrize(
    ("per_plane", "bound"), [(0.0, 0.0), (0.5, 0.01), (1.0, 0.01), (2.0, 0.01), (0.25, 0.028), (0.75, 0.028)]
)
def test_an_oblique_channel_is_as_long_as_it_is(per_plane: float, bound: float) -> None:
    """τ = 1 / cos(angle) of a narrow channel: within 1 % along a step, within the bound of the steps
    between."""
    phase = oblique_channel(121, 3, 3, per_plane)
    lengths = lengths_from(phase, last_plane(phase), 121, KNIGHTS)
    tau = float(lengths[0][phase[0]].mean()) / 120
    straight = np.hypot(1.0, per_plane)
    shorter = 4 * max(per_plane, 1.0) / 120  # from corner to corner of the channel
    assert straight * (1.0 - shorter) <= tau <= straight * (1.0 + bound + 1e-6)


@pytest.mark.parametrize(("steps", "worst"), [(NEIGHBOURS, 1.1281), (KNIGHTS, 1.05)], ids=["26", "98"])
def test_no_direction_is_longer_than_told(steps: tuple[StepKind, ...], worst: float) -> None:
    """In a free volume, path length over distance in the worst direction of all."""
    free = np.ones((41, 41, 41), dtype=np.bool_)
    starts = np.zeros_like(free)
    starts[20, 20, 20] = True
    lengths = lengths_from(free, starts, 41, steps)
    distance = np.linalg.norm(np.indices(free.shape) - 20, axis=0)
    ratio = lengths[distance > 15] / distance[distance > 15]
    assert ratio.min() >= 1.0 - 1e-6
    assert worst - 0.01 < ratio.max() < worst


def test_no_step_jumps_a_wall() -> None:
    """A wall of one voxel is not crossed, not even by a knight's step; one gap lets all through."""
    phase = np.ones((9, 9, 9), dtype=np.bool_)
    phase[4] = False
    starts = last_plane(phase)
    assert np.isinf(lengths_from(phase, starts, 9, KNIGHTS)[:5]).all()
    phase[4, 4, 4] = True
    assert np.isfinite(lengths_from(phase, starts, 9, KNIGHTS)[:4]).all()


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 1, 1)])
def test_thin_and_empty_volumes(shape: tuple[int, int, int]) -> None:
    """Nothing to walk is not an error."""
    empty = np.zeros(shape, dtype=np.bool_)
    assert np.isinf(lengths_from(empty, ~empty, 4, KNIGHTS)).all()
    assert not lengths_from(~empty, ~empty, 4, KNIGHTS).any()
