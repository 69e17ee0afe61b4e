"""Ways to fill the empty planes between two measured slices: nearest slice, cubic spline.

A filling gets the positions ``(m,)`` and labels ``(m, y, x)`` of the slices around an interval and the
planes to fill, and yields their labels ``(k, y, x)`` a few planes at a time, in order: where many slices are
lost, an interval has hundreds of planes, more than memory holds. How many slices it wants on either side is
part of it, because that is its look-ahead.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from algorithms.signed_distance import signed_distance

Labels = NDArray[np.uint8]
Planes = NDArray[np.int64]
Floats = NDArray[np.float64]
Fill = Callable[[Planes, Labels, Planes], Iterator[Labels]]

CUBIC_REACH_PX = 3
"""Smallest mean error of {2, 3, 4, 5, 8, 20} px on hierarchical nanoporous gold, 2.5 nm voxels, slices of
10 ± 3 nm (MP 2.69, 2.58, 2.58, 2.61, 2.67, 2.74 %); ``python -m benchmarks interpolation`` scores it."""

PLANES_AT_ONCE = 8
"""Of an interval; in floating point 0.2 GB a map at 3072 x 2048 px."""

LARGEST_REPAIR_PX = 1.0
"""The repair moves a boundary no further than this: a face that is wrong must not repaint its neighbours."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A filling and the slices it looks at: ``before`` of them up to and including the interval's upper
    slice, ``after`` of them from its lower slice on (at least 1 each). At the ends of a run there may be
    fewer."""

    before: int
    after: int
    fill: Fill


def fill_nearest(slices: Planes, labels: Labels, planes: Planes) -> Iterator[Labels]:
    """Every plane is the nearest slice; half way between two it is the upper one."""
    nearest = np.abs(slices[None] - planes[:, None]).argmin(axis=1)
    return (labels[nearest[part]] for part in groups(planes))


def groups(planes: Planes) -> Iterator[slice]:
    """The planes of an interval, :data:`PLANES_AT_ONCE` at a time."""
    return (slice(first, first + PLANES_AT_ONCE) for first in range(0, planes.size, PLANES_AT_ONCE))


def fill_cubic(slices: Planes, labels: Labels, planes: Planes) -> Iterator[Labels]:
    """Natural cubic spline along z through the slices' bounded signed distances, with the holes repaired.

    A spline through labels 0 and 1 (Sardhara et al., slice thickness, section 2.2.3) opens holes where a
    ligament moves sideways by its own width from slice to slice. Through signed distances it sees such a
    ligament coming from either side; the bound keeps far boundaries out of it. What remains open is
    repaired by :func:`conserve_area`. A further phase is decided inside the solid, by the spline through
    its indicators.
    """
    weights = spline_weights(slices, planes)
    distances = np.stack([signed_distance(face > 0, CUBIC_REACH_PX) for face in labels])
    fractions = _between(slices, np.mean(labels > 0, axis=(1, 2)), planes)
    for part in groups(planes):
        height = np.tensordot(weights[part].astype(np.float32), distances, axes=1)
        solid = [conserve_area(plane, share) for plane, share in zip(height, fractions[part], strict=True)]
        yield np.where(solid, solid_phase(weights[part], labels), np.uint8(0))


def spline_weights(slices: Planes, planes: Planes) -> Floats:
    """Weights ``(k, m)`` of the slices' values in a natural cubic spline evaluated at the planes."""
    return np.asarray(CubicSpline(slices, np.eye(slices.size), bc_type="natural")(planes), dtype=np.float64)


def _between(slices: Planes, values: Floats, planes: Planes) -> Floats:
    return np.interp(planes, slices, values)


def conserve_area(height: NDArray[np.float32], fraction: float) -> NDArray[np.bool_]:
    """The highest ``fraction`` of a plane: the solid whose area lies between those of its two slices.

    Interpolation closes thin necks and pores wherever it is undecided; moving the level until the area is
    right reopens exactly those voxels that are nearest to the level, and keeps the solid fraction free of
    bias.
    """
    wanted = round(fraction * height.size)
    if wanted == 0:
        return np.zeros(height.shape, dtype=np.bool_)
    level = np.partition(height, height.size - wanted, axis=None)[height.size - wanted]
    return height >= np.clip(level, -LARGEST_REPAIR_PX, LARGEST_REPAIR_PX)


def solid_phase(weights: Floats, labels: Labels) -> Labels:
    """The most likely solid phase of every voxel, 1 … highest label; 1 everywhere in two-phase material.

    Spline ``weights`` ``(k, m)`` of ``labels`` ``(m, y, x)`` make the result ``(k, y, x)``.
    """
    highest = int(labels.max(initial=1))
    if highest <= 1:
        return np.ones((weights.shape[0], *labels.shape[1:]), dtype=np.uint8)
    indicators = (labels == np.uint8(phase) for phase in range(1, highest + 1))
    scores = [np.tensordot(weights, indicator.astype(np.float32), axes=1) for indicator in indicators]
    return (np.argmax(np.stack(scores), axis=0) + 1).astype(np.uint8)


INTERPOLATIONS: Mapping[str, Interpolation] = {
    "nearest": Interpolation(before=1, after=1, fill=fill_nearest),
    "cubic": Interpolation(before=3, after=3, fill=fill_cubic),
}
"""Fillings that need no network, by the name they have in the configuration."""
