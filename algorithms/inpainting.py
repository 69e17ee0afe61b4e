"""Filling by a network that inpaints zx and zy sections (Sardhara et al., slice thickness, section 2.2.3).

The network does not begin with empty planes but with the cubic filling: every plane holds the height of the
spline through the slices' signed distances, and the network says where that is wrong. Each section comes
with the two beside it, so that a ligament which leaves it is seen to go on. What zx and zy sections say is
averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

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

BESIDE = 2
"""Sections on either side whose spline heights are shown."""

NEIGHBOURS = 4
"""Slices whose distances are shown at every plane: two above and two below."""

CHANNELS = 2 * BESIDE + 1 + NEIGHBOURS + 2
SPLINE_CHANNEL = BESIDE
"""The section's own spline height over its bound."""

FACE_REACH_PX = 8
"""Bound of the slices' distances: a ligament of 15 nm that moves by its width is still seen."""

MARGIN_PLANES = 6
"""Planes of the neighbouring intervals that are shown on either side of the one to fill."""

SECTIONS_AT_ONCE = 64

LEAST_CHANCE = 0.35
"""To keep the area, no pixel less likely than this becomes solid, and none less likely pore."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is known around an interval of the planes shown, z for short.

    ``distances`` and ``faces`` (slices, y, x) are signed distances of the slices over their bounds, of
    CUBIC_REACH_PX and of FACE_REACH_PX; ``weights`` (z, slices) make spline heights; ``neighbours`` (z, 4)
    are the numbers of the slices around a plane, ``share`` (z,) how far it is from the one above to the one
    below, ``known`` (z,) whether it is a slice; ``wanted`` are the planes of the interval.
    """

    distances: Floats
    faces: Floats
    weights: Floats
    neighbours: NDArray[np.int64]
    share: Floats
    known: NDArray[np.bool_]
    wanted: slice


def window(slices: Planes, labels: Labels, planes: Planes) -> Window:
    """The window of an interval: slices at ``slices`` (m,) with ``labels`` (m, y, x), ``planes`` to fill."""
    first = max(int(slices[0]), int(planes[0]) - 1 - MARGIN_PLANES)
    last = min(int(slices[-1]), int(planes[-1]) + 1 + MARGIN_PLANES)
    shown = np.arange(first, last + 1)
    start = int(planes[0]) - first
    above = np.clip(np.searchsorted(slices, shown, side="right") - 1, 0, slices.size - 2)
    span = slices[above + 1] - slices[above]
    return Window(
        _distances(labels, CUBIC_REACH_PX),
        _distances(labels, FACE_REACH_PX),
        spline_weights(slices, shown).astype(np.float32),
        np.clip(above[:, None] + np.arange(-1, NEIGHBOURS - 1), 0, slices.size - 1),
        ((shown - slices[above]) / span).astype(np.float32),
        np.isin(shown, slices),
        slice(start, start + planes.size),
    )


def _distances(labels: Labels, reach_px: int) -> Floats:
    return np.stack([signed_distance(face > 0, reach_px) for face in labels]) / np.float32(reach_px)


def sections(view: Window, rows: slice) -> Floats:
    """The sections at ``rows`` along y, ``(rows, CHANNELS, z, x)``; at the border the outermost repeats.

    Channels: spline heights of the sections from BESIDE before to BESIDE behind, distances of the
    NEIGHBOURS, then the share of the way between two slices, and 1 at slices.
    """
    height = view.distances.shape[1]
    count = rows.stop - rows.start
    beside = np.clip(np.arange(rows.start - BESIDE, rows.stop + BESIDE), 0, height - 1)
    heights = np.tensordot(view.weights, view.distances[:, beside], axes=1).transpose(1, 0, 2)
    stack = np.empty((count, CHANNELS, *heights.shape[1:]), dtype=np.float32)
    for channel in range(2 * BESIDE + 1):
        stack[:, channel] = heights[channel : channel + count]
    faces = view.faces[view.neighbours, rows]
    stack[:, 2 * BESIDE + 1 : -2] = faces.transpose(2, 1, 0, 3)
    stack[:, -2] = view.share[:, None]
    stack[:, -1] = view.known[:, None]
    return stack


def turned(view: Window) -> Window:
    """The same seen along x: its sections are those of zy planes."""
    return replace(view, distances=view.distances.transpose(0, 2, 1), faces=view.faces.transpose(0, 2, 1))


def inpainting(inpaint: Inpaint, before: int = 3, after: int = 3) -> Interpolation:
    """A network's filling, with the slices it looks at on either side of an interval.

    A further phase is decided inside the solid as in the cubic filling.
    """

    def fill(slices: Planes, labels: Labels, planes: Planes) -> Labels:
        view = window(slices, labels, planes)
        along_x = _probability(inpaint, turned(view)).transpose(0, 2, 1)
        chance = (_probability(inpaint, view) + along_x) / 2.0
        fractions = np.interp(planes, slices, np.mean(labels > 0, axis=(1, 2)))
        solid = np.stack([_conserved(plane, part) for plane, part in zip(chance, fractions, strict=True)])
        return np.where(solid, solid_phase(spline_weights(slices, planes), labels), np.uint8(0))

    return Interpolation(before, after, fill)


def _conserved(chance: Floats, fraction: float) -> NDArray[np.bool_]:
    """The solid of a plane: what is more likely than not, a little more or less for the area's sake.

    Where a network hesitates the scarcer phase loses, and the solid fraction with it.
    """
    wanted = round(fraction * chance.size)
    if wanted == 0:
        return chance > 1.0 - LEAST_CHANCE
    level = np.partition(chance, chance.size - wanted, axis=None)[chance.size - wanted]
    return chance >= np.clip(level, LEAST_CHANCE, 1.0 - LEAST_CHANCE)


def _probability(inpaint: Inpaint, view: Window) -> Floats:
    """Probability of the solid ``(wanted planes, y, x)`` from the sections along x, some at a time."""
    height = view.distances.shape[1]
    parts: list[Floats] = []
    for first in range(0, height, SECTIONS_AT_ONCE):
        rows = slice(first, min(height, first + SECTIONS_AT_ONCE))
        parts.append(inpaint(sections(view, rows))[:, view.wanted])
    return np.concatenate(parts).transpose(1, 0, 2)
