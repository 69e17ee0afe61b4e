"""Features that follow a pixel's history along z: what it showed before the face came to it, and shows after.

In an empty pore the ground comes up gradually, slice by slice, until the face cuts it; solid material looks
the same until it has been milled away, and its end is abrupt. So a pixel's grey values of the slices before
and after say more than its own: the values themselves, how far they range, how they trend, when they last
jumped and when they will, and how long they have been steady.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from algorithms.filter_bank import FeatureName, smoothed
from algorithms.symmetric_eigenvalues import eigenvalues_of_two
from algorithms.z_gradient import straight_line

Floats = NDArray[np.floating]
HALF = 10
"""Slices before and after that are looked at."""
OFFSETS = (-10, -7, -5, -3, -2, -1, 0, 1, 2, 3, 5, 7, 10)
WIDE_OFFSETS = (-10, -5, -2, 0, 2, 5, 10)
FINE_PX, WIDE_PX = 1.0, 3.0
TREND_SLICES = 5
STEADY = np.float32(0.06)
"""A step between slices that is no change, on the scale on which an image runs from 0 to 1."""
EDGE_PX = (1.0, 2.0, 4.0)
EDGES = ("smooth", "laplacian", "gradient", "hessian", "hessian", "tensor", "tensor")
SIDE = ("range", "range", "mean", "spread", "jump", "when", "trend", "misfit", "steady")
REACH_PX = int(np.ceil(3 * max(EDGE_PX) * 1.5))


def history_names(signal: str) -> list[FeatureName]:
    """The features of one signal, in the order of :func:`history_features`."""
    grey = [FeatureName(signal, "grey", f"slice {offset:+d}") for offset in OFFSETS]
    wide = [FeatureName(signal, "wide", f"slice {offset:+d}") for offset in WIDE_OFFSETS]
    sides = [FeatureName(signal, kind, side) for side in ("before", "after") for kind in SIDE]
    edges = [FeatureName(signal, kind, f"{scale:g} px") for scale in EDGE_PX for kind in EDGES]
    return [*grey, *wide, *sides, *edges]


def history_features(window: Floats) -> Iterator[Floats]:
    """The features of the middle slice of a window (2·HALF + 1, y, x): float32 (y, x) each."""
    fine = np.stack([smoothed(plane, FINE_PX) for plane in window])
    for offset in OFFSETS:
        yield fine[HALF + offset]
    for offset in WIDE_OFFSETS:
        yield smoothed(window[HALF + offset], WIDE_PX)
    yield from _one_side(fine[HALF::-1])
    yield from _one_side(fine[HALF:])
    for scale in EDGE_PX:
        yield from _edges(window[HALF], scale)


def _one_side(way: Floats) -> Iterator[Floats]:
    """What a pixel goes through from now (index 0) away: in the order of SIDE."""
    steps = np.abs(np.diff(way, axis=0))
    yield way.min(axis=0)
    yield way.max(axis=0)
    yield way.mean(axis=0)
    yield way.std(axis=0)
    yield steps.max(axis=0)
    yield np.argmax(steps, axis=0).astype(np.float32)
    yield from straight_line(way[: TREND_SLICES + 1])
    yield np.cumprod(steps < STEADY, axis=0).sum(axis=0).astype(np.float32)


def _edges(plane: Floats, scale: float) -> Iterator[Floats]:
    """Edges and texture within the slice, in the order of EDGES; derivatives count per σ."""
    rate = np.float32(scale)
    dy, dx = (smoothed(plane, scale, orders) * rate for orders in ((1, 0), (0, 1)))
    yy, xx, yx = (smoothed(plane, scale, orders) * rate**2 for orders in ((2, 0), (0, 2), (1, 1)))
    yield smoothed(plane, scale)
    yield yy + xx
    yield np.sqrt(dy * dy + dx * dx)
    yield from eigenvalues_of_two(yy, xx, yx)
    yield from eigenvalues_of_two(*(smoothed(one, scale / 2) for one in (dy * dy, dx * dx, dy * dx)))
