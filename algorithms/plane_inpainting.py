"""Filling by a network that paints one missing plane at a time from the slices around it.

The network sees the signed distances to the phase boundary on :data:`SLICES` slices, how far each of them is
from the plane, and what the cubic spline through them says; it corrects that spline. Looking at a plane with
its slices as channels sees sideways in both directions at once, where a network on zx and zy sections
(Sardhara et al., slice thickness, section 2.2.3) sees one of them at a time, and it computes the missing
planes only; see ``docs/decisions/inpainting.md``.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.signed_distance import signed_distance
from algorithms.slice_filling import Interpolation, Labels, Planes, fill_cubic, solid_phase, spline_weights

Maps = NDArray[np.float32]
Paint = Callable[[Maps], Maps]
"""Maps of one plane, float32 ``(MAPS, y, x)``, to probabilities of pore and solid, float32 ``(2, y, x)``."""

SLICES: Final = 6
"""Three on either side: a spline's look-ahead, so that planes become final when they did before."""
MAPS: Final = 2 * SLICES + 2
REACH_PX: Final = 5
"""Bound of the signed distances; farther boundaries say nothing about a plane a few voxels away."""
SPLINE_REACH_PX: Final = 3
"""Bound of those that the spline goes through; see :data:`algorithms.slice_filling.CUBIC_REACH_PX`."""
OFFSET_SCALE: Final = 8.0
"""Planes: brings the distances along z to about 1."""
END_STEP: Final = 4
"""Planes between a run's last slice and the copies of it that stand for those beyond."""
LONGEST_GAP: Final = 14
"""Planes between two slices up to which networks are trained: 35 nm at 2.5 nm; wider ones are splined."""

_HALF: Final = SLICES // 2


def plane_inpainting(paint: Paint) -> Interpolation:
    """A network's filling; intervals wider than :data:`LONGEST_GAP` are left to the cubic spline.

    A network tells solid from pore; a further phase is decided inside the solid, as the cubic filling does.
    """

    def fill(slices: Planes, labels: Labels, planes: Planes) -> Iterator[Labels]:
        upper = int(np.searchsorted(slices, planes[0])) - 1
        if slices[upper + 1] - slices[upper] > LONGEST_GAP:
            yield from fill_cubic(slices, labels, planes)
            return
        positions, faces = around(slices, labels, upper)
        distances = np.stack([signed_distance(face > 0, REACH_PX) for face in faces])
        painted = (paint(plane_maps(positions, distances, int(plane))) for plane in planes)
        solid = np.stack([probabilities[1] > probabilities[0] for probabilities in painted])
        yield np.where(solid, solid_phase(spline_weights(slices, planes), labels), np.uint8(0))

    return Interpolation(before=_HALF, after=_HALF, fill=fill)


def around(slices: Planes, labels: Labels, upper: int) -> tuple[Planes, Labels]:
    """Positions ``(SLICES,)`` and labels ``(SLICES, y, x)`` around the interval below slice ``upper``.

    Beyond an end of the run its last slice is repeated every :data:`END_STEP` planes.
    """
    wanted = np.arange(upper - _HALF + 1, upper + _HALF + 1)
    present = np.clip(wanted, 0, slices.size - 1)
    return slices[present] + END_STEP * (wanted - present), labels[present]


def plane_maps(positions: Planes, distances: Maps, plane: int) -> Maps:
    """What a network sees of a plane: float32 ``(MAPS, y, x)``.

    Args:
        positions: ``(SLICES,)``, of the slices along z, in planes; strictly increasing.
        distances: ``(SLICES, y, x)``, signed, bounded to :data:`REACH_PX`, in px.
        plane: between the middle two slices.
    """
    shape = distances.shape[1:]
    weights = spline_weights(positions, np.asarray([plane]))[0].astype(np.float32)
    spline = np.tensordot(weights, np.clip(distances, -SPLINE_REACH_PX, SPLINE_REACH_PX), axes=1)
    top, bottom = positions[_HALF - 1], positions[_HALF]
    maps = np.empty((MAPS, *shape), dtype=np.float32)
    maps[:SLICES] = distances / np.float32(REACH_PX)
    maps[SLICES : 2 * SLICES] = ((positions - plane) / OFFSET_SCALE)[:, None, None]
    maps[-2] = spline / np.float32(SPLINE_REACH_PX)
    maps[-1] = (plane - top) / (bottom - top)
    return maps
