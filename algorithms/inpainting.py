"""Filling by a network that inpaints zx and zy sections (Sardhara et al., slice thickness, section 2.2.3).

The network does not begin with empty planes but with the cubic filling: every plane holds the height of the
spline through the slices' signed distances, and the network says where that is wrong. Each section comes
with the two beside it, so that a ligament which leaves it is seen to go on. What zx and zy sections say is
averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.signed_distance import signed_distance
from algorithms.slice_filling import (
    CUBIC_REACH_PX,
    Interpolation,
    Labels,
    Planes,
    solid_phase,
    spline_weights,
)

Floats = NDArray[np.float32]
Inpaint = Callable[[Floats], Floats]
"""Sections ``(s, CHANNELS, z, u)`` to the probability of the solid ``(s, z, u)``, any number and size."""

CHANNELS = 4
"""Spline heights over their bound of the section before, the section and the one behind; 1 at slices."""

MARGIN_PLANES = 6
"""Planes of the neighbouring intervals that are shown on either side of the one to fill."""

SECTIONS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Window:
    """What is known around an interval: ``distances`` (slices, y, x) signed and bounded, px, the ``weights``
    (z, slices) that make spline heights of them, ``known`` (z,) which planes are slices, and ``wanted``, the
    planes of the interval among them."""

    distances: Floats
    weights: Floats
    known: NDArray[np.bool_]
    wanted: slice


def window(slices: Planes, labels: Labels, planes: Planes) -> Window:
    """The window of an interval: slices at ``slices`` (m,) with ``labels`` (m, y, x), ``planes`` to fill."""
    first = max(int(slices[0]), int(planes[0]) - 1 - MARGIN_PLANES)
    last = min(int(slices[-1]), int(planes[-1]) + 1 + MARGIN_PLANES)
    shown = np.arange(first, last + 1)
    start = int(planes[0]) - first
    return Window(
        np.stack([signed_distance(face > 0, CUBIC_REACH_PX) for face in labels]),
        spline_weights(slices, shown).astype(np.float32) / np.float32(CUBIC_REACH_PX),
        np.isin(shown, slices),
        slice(start, start + planes.size),
    )


def sections(view: Window, rows: slice) -> Floats:
    """The sections at ``rows`` along y, ``(rows, CHANNELS, z, x)``; at the border the outermost repeats."""
    height = view.distances.shape[1]
    beside = np.clip(np.arange(rows.start - 1, rows.stop + 1), 0, height - 1)
    heights = np.tensordot(view.weights, view.distances[:, beside], axes=1).transpose(1, 0, 2)
    known = np.broadcast_to(view.known[:, None].astype(np.float32), heights[1:-1].shape)
    return np.stack((heights[:-2], heights[1:-1], heights[2:], known), axis=1)


def turned(view: Window) -> Window:
    """The same seen along x: its sections are those of zy planes."""
    return Window(view.distances.transpose(0, 2, 1), view.weights, view.known, view.wanted)


def inpainting(inpaint: Inpaint, before: int = 3, after: int = 3) -> Interpolation:
    """A network's filling, with the slices it looks at on either side of an interval.

    A further phase is decided inside the solid as in the cubic filling.
    """

    def fill(slices: Planes, labels: Labels, planes: Planes) -> Labels:
        view = window(slices, labels, planes)
        along_y = _probability(inpaint, view)
        along_x = _probability(inpaint, turned(view)).transpose(0, 2, 1)
        solid = along_y + along_x >= 1.0
        return np.where(solid, solid_phase(spline_weights(slices, planes), labels), np.uint8(0))

    return Interpolation(before, after, fill)


def _probability(inpaint: Inpaint, view: Window) -> Floats:
    """Probability of the solid ``(wanted planes, y, x)`` from the sections along x, some at a time."""
    height = view.distances.shape[1]
    parts: list[Floats] = []
    for first in range(0, height, SECTIONS_AT_ONCE):
        rows = slice(first, min(height, first + SECTIONS_AT_ONCE))
        parts.append(inpaint(sections(view, rows))[:, view.wanted])
    return np.concatenate(parts).transpose(1, 0, 2)
