"""Mean local thickness in three dimensions from a smooth field: the largest inscribed ball of every point.

Every ball that touches the surface starts large and shrinks until no other point of the surface is inside
[1]_. Unlike a distance transform of voxels this is accurate at a few voxels per ligament, but it needs the
field whose level the surface is; for voxels there is :mod:`algorithms.local_thickness`.

.. [1] J. Ma, S. W. Bae, S. Choi, "3D medial axis point approximation using nearest neighbors and the normal
   field", Vis. Comput. 28, 7 (2012).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes

LARGEST_VOXELS = 20.0
"""Radius that balls start with, in voxels."""
POINTS = 1500


def medial_balls(
    field: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (m, 3) and radii (m,) in voxels of the balls inscribed where the field is above threshold."""
    surface = np.asarray(marching_cubes(field, threshold)[0], dtype=np.float64)
    gradient = np.stack([map_coordinates(g, surface.T, order=1) for g in np.gradient(field)], axis=-1)
    inward = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    tree, radii, active = KDTree(surface), np.full(len(surface), LARGEST_VOXELS), np.arange(len(surface))
    while len(active):
        found = tree.query(surface[active] + inward[active] * radii[active, None])
        distance, nearest = (np.asarray(column) for column in found)
        pierced = distance < radii[active] - 0.02
        active = active[pierced]
        chord = surface[nearest[pierced]] - surface[active]
        radii[active] = (chord**2).sum(axis=1) / (2 * (chord * inward[active]).sum(axis=1))
    return surface + inward * radii[:, None], radii


def mean_local_thickness(field: NDArray[np.float32], threshold: float, margin: int) -> float:
    """Mean diameter, in voxels, of the largest inscribed ball that covers a point of the solid.

    Balls are tried from the largest down; a point is settled by the first that covers it. POINTS points at
    least ``margin`` voxels from the border are tried. Raises ValueError if none of them is solid.
    """
    centres, radii = medial_balls(field, threshold)
    inner = field[margin:-margin, margin:-margin, margin:-margin]
    solid = np.argwhere(inner > threshold).astype(np.float64) + margin
    if not len(solid):
        raise ValueError("the volume is too small to measure ligaments of this size")
    points = np.take(solid, np.random.default_rng(0).integers(len(solid), size=POINTS), axis=0)
    diameters = np.zeros(len(points))
    for batch in np.array_split(np.argsort(-radii), max(1, len(radii) // 300)):
        open_points = np.flatnonzero(diameters == 0)
        covered = cdist(points[open_points], centres[batch]) <= radii[batch]
        first = np.where(covered.any(axis=1), 2 * radii[batch][covered.argmax(axis=1)], 0.0)
        diameters[open_points] = first
    return float(diameters.mean())
