"""The surface between solid and pore as triangles, slab by slab, so that no volume is too tall.

Marching cubes (Lewiner et al., J. Graphics Tools 8, 1 (2003), by scikit-image) on voxel centres. The solid is
closed where the volume ends, by one voxel of pore all around, so every surface has an inside and encloses
its volume. Consecutive slabs share a plane and there the same vertices, which are told apart by nothing and
used once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

Labels = NDArray[np.uint8]
Vertices = NDArray[np.float32]
Triangles = NDArray[np.int64]
Keys = NDArray[np.int64]

SOLID = 1


@dataclass(frozen=True, slots=True)
class SurfacePart:
    """Vertices ``(n, 3)`` as x, y, z in nm, new ones only, and triangles ``(m, 3)`` of vertex numbers,
    counted over all parts; corners go round counter-clockwise as seen from the pore."""

    vertices: Vertices
    triangles: Triangles


@dataclass(slots=True)
class _Seam:
    """Vertices that lie in the last plane of a slab: sorted keys of their places, and their numbers."""

    keys: Keys = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    numbers: Keys = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def surface(slabs: Iterable[Labels], voxel_nm: float, centre_nm: float = 0.0) -> Iterator[SurfacePart]:
    """The surface of the solid (label 1) of consecutive slabs ``(z, y, x)``.

    ``centre_nm`` is where the centre of voxel 0 lies along all three axes, nm.

    Raises ValueError unless the voxel size is positive.
    """
    if not voxel_nm > 0.0:
        raise ValueError(f"surface: voxels of {voxel_nm} nm; give a positive size")
    seam, count, first = _Seam(), 0, -1
    for slab in _overlapping(slabs):
        corners, triangles = _marched(slab)
        corners[:, 0] += 2 * first
        numbers, is_new = _numbered(corners, seam, count, 2 * first)
        seam = _seam(corners, numbers, 2 * (first + len(slab) - 1))
        count, first = count + int(is_new.sum()), first + len(slab) - 1
        places = corners[is_new][:, ::-1] * (voxel_nm / 2) + centre_nm
        yield SurfacePart(places.astype(np.float32), numbers[triangles])


def _overlapping(slabs: Iterable[Labels]) -> Iterator[NDArray[np.bool_]]:
    """Slabs with a rim of pore; each begins with the last plane of the one before, and pore ends them."""
    last: NDArray[np.bool_] | None = None
    for labels in slabs:
        solid = np.pad(labels == SOLID, ((0, 0), (1, 1), (1, 1)))
        before = np.zeros_like(solid[:1]) if last is None else last
        yield np.concatenate((before, solid))
        last = solid[-1:]
    if last is not None:
        yield np.concatenate((last, np.zeros_like(last)))


def _marched(solid: NDArray[np.bool_]) -> tuple[Keys, Triangles]:
    """Vertices in half voxels (z, y, x), whole numbers, of the unpadded plane; and their triangles."""
    if solid.all() or not solid.any():
        return np.empty((0, 3), dtype=np.int64), np.empty((0, 3), dtype=np.int64)
    places, triangles, _, _ = marching_cubes(solid.astype(np.float32), 0.5)
    corners = np.rint(2.0 * places).astype(np.int64) - np.asarray((0, 2, 2))
    return corners, triangles.astype(np.int64)


def _numbered(corners: Keys, seam: _Seam, count: int, plane: int) -> tuple[Keys, NDArray[np.bool_]]:
    """A number for every vertex: the known one of those in the seam ``plane``, the next free of others."""
    keys = _keys(corners)
    at = np.searchsorted(seam.keys, keys).clip(max=max(0, seam.keys.size - 1))
    in_seam = corners[:, 0] == plane
    known = in_seam & (seam.keys[at] == keys) if seam.keys.size else np.zeros(len(keys), dtype=np.bool_)
    numbers = np.empty(len(corners), dtype=np.int64)
    numbers[known] = seam.numbers[at[known]]
    numbers[~known] = count + np.arange(int((~known).sum()))
    return numbers, ~known


def _seam(corners: Keys, numbers: Keys, plane: int) -> _Seam:
    here = corners[:, 0] == plane
    keys = _keys(corners[here])
    order = np.argsort(keys)
    return _Seam(keys[order], numbers[here][order])


def _keys(corners: Keys) -> Keys:
    """One number for the place (y, x) of a vertex."""
    return (corners[:, 1] + 2) * (1 << 32) + corners[:, 2] + 2
