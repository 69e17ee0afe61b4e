"""A picture of the solid from outside: rays on voxels, parallel, shaded by the surface they meet.

A report needs one still picture on machines without graphics. Rays are marched through the smoothed voxels
and stop at the first half-solid one; what they meet is shaded after Lambert, the light beside the viewer.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float32]

SMOOTHING_VOXELS: Final = 0.8
"""Voxel steps are not structure; more than a voxel would be rounded away with them."""
_LEVEL: Final = 0.5
_AMBIENT: Final = 0.22
_DIMMING: Final = 0.45
"""Share of the light that is gone at the far end: without it depth cannot be told."""
_PARALLEL: Final = 1e-6
"""A ray that runs along a side of the box must not be divided by nothing."""


def relief(
    solid: NDArray[np.bool_], azimuth_deg: float = 35.0, elevation_deg: float = 30.0, per_voxel: float = 2.0
) -> Floats:
    """Brightness 0…1 of the solid ``(z, y, x)`` seen from above its first plane; NaN where nothing is hit.

    Depth z points down in the picture. ``per_voxel`` is pixels per voxel. Raises ValueError unless ``solid``
    has three axes with at least one voxel.
    """
    if solid.ndim != 3 or not solid.size:
        raise ValueError(f"relief: a volume (z, y, x) is needed, not {solid.shape}")
    padded = np.pad(solid, 2).astype(np.float32)
    density = np.asarray(gaussian_filter(padded, SMOOTHING_VOXELS), dtype=np.float32)
    view, right, down = _frame(azimuth_deg, elevation_deg)
    starts = _starts(density.shape, view, right, down, per_voxel)
    hits = _first_hits(density, starts.reshape(-1, 3), view)
    light = np.asarray(-0.55 * right - 0.75 * down - view, dtype=np.float32)
    shade = _shaded(density, starts.reshape(-1, 3), hits, view, light / np.float32(np.linalg.norm(light)))
    return shade.reshape(starts.shape[:2])


def _frame(azimuth_deg: float, elevation_deg: float) -> tuple[Floats, Floats, Floats]:
    """Unit vectors (z, y, x): along the line of sight, to the right and down in the picture."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    flat = np.array((0.0, -math.cos(azimuth), math.sin(azimuth)))
    view = math.cos(elevation) * flat + math.sin(elevation) * np.array((1.0, 0.0, 0.0))
    right = np.array((0.0, math.sin(azimuth), math.cos(azimuth)))
    down = math.cos(elevation) * np.array((1.0, 0.0, 0.0)) - math.sin(elevation) * flat
    return view.astype(np.float32), right.astype(np.float32), down.astype(np.float32)


def _starts(shape: tuple[int, ...], view: Floats, right: Floats, down: Floats, per_voxel: float) -> Floats:
    """Where the rays begin, ``(rows, columns, 3)``: in front of the whole box."""
    corners = np.array(np.meshgrid(*[(0.0, side - 1.0) for side in shape], indexing="ij")).reshape(3, -1).T
    middle = corners.mean(axis=0)
    across, along, deep = ((corners - middle) @ axis for axis in (right, down, view))
    columns = np.arange(across.min(), across.max(), 1.0 / per_voxel)
    rows = np.arange(along.min(), along.max(), 1.0 / per_voxel)
    starts = middle + deep.min() * view + rows[:, None, None] * down + columns[None, :, None] * right
    return starts.astype(np.float32)


def _first_hits(density: Floats, starts: Floats, view: Floats) -> Floats:
    """Distance in voxels at which each ray meets the surface, to half a voxel; NaN where it never does."""
    hits = np.full(len(starts), np.nan, dtype=np.float32)
    enters, leaves = _crossings(density.shape, starts, view)
    flying = np.flatnonzero(enters < leaves)
    for step in np.arange(0.0, float(np.max(leaves - enters, initial=0.0)), 0.5, dtype=np.float32):
        at = enters[flying] + step
        points = starts[flying] + at[:, None] * view
        met = map_coordinates(density, points.T, order=1) > _LEVEL
        hits[flying[met]] = at[met]
        flying = flying[~met & (at < leaves[flying])]
    return hits


def _crossings(shape: tuple[int, ...], starts: Floats, view: Floats) -> tuple[Floats, Floats]:
    """Distances at which each ray enters the box of voxel centres and leaves it; reversed if it misses."""
    along = np.where(np.abs(view) < _PARALLEL, _PARALLEL, view)
    ends = np.stack([-starts / along, (np.array(shape, dtype=np.float32) - 1.0 - starts) / along])
    enters, leaves = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    return enters.astype(np.float32), leaves.astype(np.float32)


def _shaded(density: Floats, starts: Floats, hits: Floats, view: Floats, light: Floats) -> Floats:
    """Lambert's cosine at each hit, dimmed with distance."""
    shade = np.full(len(starts), np.nan, dtype=np.float32)
    hit = np.flatnonzero(np.isfinite(hits))
    if not hit.size:
        return shade
    points = (starts[hit] + hits[hit, None] * view).T
    outward = -np.stack([map_coordinates(slope, points, order=1) for slope in np.gradient(density)], axis=1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    lit = np.clip(outward @ light, 0.0, 1.0)
    distance = (hits[hit] - hits[hit].min()) / max(float(np.ptp(hits[hit])), 1.0)
    shade[hit] = (_AMBIENT + (1.0 - _AMBIENT) * lit) * (1.0 - _DIMMING * distance)
    return shade
