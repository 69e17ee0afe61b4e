"""The outline for the screen lies where the solid is, and says nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.envelope import block_density, envelope


def test_the_outline_of_a_ball_has_its_radius() -> None:
    """Vertices lie on the sphere, within half a block, at the place the ball has in nm."""
    z, y, x = np.indices((40, 60, 80))
    ball = (z - 20) ** 2 + (y - 30) ** 2 + (x - 40) ** 2 < 15**2
    part = envelope(block_density(ball, 2), 0.5, (4.0, 4.0, 4.0))
    radius = np.linalg.norm(part.vertices - np.array([81.0, 61.0, 41.0]), axis=1)
    assert radius.mean() == pytest.approx(30.0, abs=0.5)
    assert np.ptp(radius) < 4.0


def test_density_is_the_share_of_solid() -> None:
    """Blocks are means; a volume thinner than a block is one block deep."""
    solid = np.zeros((3, 8, 8), bool)
    solid[:, :4, :4] = True
    density = block_density(solid, 4)
    np.testing.assert_array_equal(density, [[[1.0, 0.0], [0.0, 0.0]]])


def test_an_empty_volume_has_no_surface_and_a_full_one_is_closed() -> None:
    """No solid, no triangles; a full volume is a closed box: every edge belongs to two triangles."""
    assert len(envelope(np.zeros((3, 3, 3), np.float32), 0.2, (1.0, 1.0, 1.0)).triangles) == 0
    triangles = envelope(np.ones((3, 4, 5), np.float32), 0.2, (1.0, 1.0, 1.0)).triangles
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1
    )
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
