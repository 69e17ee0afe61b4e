"""Surfaces enclose what they should, however the volume was cut into slabs, and survive their files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms.surface import SurfacePart, surface
from daemon.mesh_files import write_ply, write_stl

VOXEL_NM = 2.5


def ball(radius: float, side: int) -> NDArray[np.uint8]:
    centre = (side - 1) / 2
    z, y, x = np.ogrid[:side, :side, :side]
    return ((z - centre) ** 2 + (y - centre) ** 2 + (x - centre) ** 2 <= radius**2).astype(np.uint8)


def whole(parts: list[SurfacePart]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    vertices = np.concatenate([part.vertices for part in parts]).astype(np.float64)
    return vertices, np.concatenate([part.triangles for part in parts])


def enclosed(corners: NDArray[np.float64]) -> float:
    """Signed volume inside triangles (n, 3, xyz); positive if they go round counter-clockwise."""
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def edges_used_twice(triangles: NDArray[np.int64]) -> bool:
    """A closed surface has every directed edge once, and once the other way round."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there, back = ({tuple(edge) for edge in way.tolist()} for way in (edges, edges[:, ::-1]))
    return there == back


def test_a_ball_has_its_volume_place_and_outside():
    """Signed volume within 3 % of the sphere's, centred where the voxels are, in nm."""
    vertices, triangles = whole(list(surface([ball(12.3, 31)], VOXEL_NM)))
    assert enclosed(vertices[triangles]) == pytest.approx(4 / 3 * np.pi * (12.3 * VOXEL_NM) ** 3, rel=0.03)
    np.testing.assert_allclose(vertices.mean(axis=0), 15 * VOXEL_NM, atol=1e-4)


def test_axes_are_x_y_z():
    """A rod along z is long in the third coordinate; solid that touches the volume's ends is closed there."""
    volume = np.zeros((20, 6, 8), np.uint8)
    volume[:, 2:4, 1:6] = 1
    vertices, triangles = whole(list(surface([volume], 1.0)))
    np.testing.assert_allclose(vertices.min(axis=0), [0.5, 1.5, -0.5])
    np.testing.assert_allclose(vertices.max(axis=0), [5.5, 3.5, 19.5])
    assert edges_used_twice(triangles)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 8), max_size=4))
def test_slabs_make_one_closed_surface(seed, cuts):
    """Any cutting into slabs gives the vertices and the volume of the whole, closed, each vertex once."""
    volume = (np.random.default_rng(seed).random((9, 5, 6)) < 0.4).astype(np.uint8)
    one, one_triangles = whole(list(surface([volume], 1.0)))
    many, triangles = whole(list(surface(np.split(volume, sorted(set(cuts))), 1.0)))
    assert {tuple(v) for v in many.tolist()} == {tuple(v) for v in one.tolist()}
    assert len(many) == len({tuple(v) for v in many.tolist()})
    assert enclosed(many[triangles]) == pytest.approx(enclosed(one[one_triangles]))
    assert edges_used_twice(triangles)


def test_files_hold_the_surface(tmp_path: Path):
    """STL and PLY, read back by their specifications, give the same triangles; STL normals point outwards."""
    slabs = np.split(ball(7.2, 21), [6, 13])
    vertices, triangles = whole(list(surface(slabs, VOXEL_NM)))
    assert write_stl(tmp_path / "b.stl", surface(slabs, VOXEL_NM)) == len(triangles)
    assert write_ply(tmp_path / "b.ply", surface(slabs, VOXEL_NM)) == len(triangles)

    content = (tmp_path / "b.stl").read_bytes()
    assert struct.unpack_from("<I", content, 80)[0] == len(triangles)
    facets = np.frombuffer(content, "<f4,<f4,<f4,(3,3)<f4,<u2", offset=84)
    np.testing.assert_allclose(facets["f3"], vertices[triangles])
    normals = np.stack([facets["f0"], facets["f1"], facets["f2"]], axis=1)
    outwards = facets["f3"].mean(axis=1) - 10 * VOXEL_NM
    assert (np.einsum("ij,ij->i", normals, outwards) > 0).mean() > 0.99

    head, _, body = (tmp_path / "b.ply").read_bytes().partition(b"end_header\n")
    counts = [int(line.split()[-1]) for line in head.decode().splitlines() if line.startswith("element")]
    assert counts == [len(vertices), len(triangles)]
    np.testing.assert_allclose(np.frombuffer(body, "<f4", 3 * counts[0]).reshape(-1, 3), vertices)
    faces = np.frombuffer(body, "u1,(3,)<i4", offset=12 * counts[0])
    np.testing.assert_array_equal(faces["f1"], triangles)


def test_nothing_to_show_is_no_surface(tmp_path: Path):
    """A volume of pore gives an empty, valid file."""
    assert write_stl(tmp_path / "e.stl", surface([np.zeros((3, 4, 5), np.uint8)], 1.0)) == 0
    assert (tmp_path / "e.stl").stat().st_size == 84
