"""Fiducial crosses in an image nobody has described yet.

Grey values are cut at several levels, from either side; a cross is a connected region that an upright cross,
drawn from the region's own arms, reproduces. Level sets rather than templates, because neither the size nor
the foreshortening nor the contrast of the mark is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.calibration_bars import labelled

Floats: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

_LEVELS = 14
_WORKING_PX = 1100  # larger images are binned: a cross worth registering on survives that
_SMOOTHING_PX = 1.2
_SMALLEST_PX = 11  # of an arm from end to end, in working px
_LARGEST = 0.4  # of the image
_LIKENESS = 0.86
_ARM_WIDTHS = (0.06, 0.45)  # of the arm across, from a hairline to a blot
_OFF_CENTRE = 0.14  # of the extent


@dataclass(frozen=True, slots=True)
class Cross:
    """A cross, px: centre, half lengths of its arms, its likeness to an ideal one (0…1), and its sign.

    ``contrast`` is +1 for a bright cross on dark ground and -1 for a dark one on bright ground.
    """

    y_px: float
    x_px: float
    arm_y_px: float
    arm_x_px: float
    likeness: float
    contrast: int


def find_crosses(image: NDArray[Any]) -> tuple[Cross, ...]:
    """The crosses in ``image`` (h, w), the likest first; where several levels show one, its best view."""
    binning = max(1, -(-max(image.shape) // _WORKING_PX))
    smooth = _binned(image, binning)
    ndimage.gaussian_filter(smooth, _SMOOTHING_PX, output=smooth)
    seen = sorted(_all_views(smooth), key=lambda cross: -cross.likeness)
    kept: list[Cross] = []
    for cross in seen:
        if not any(_same_place(cross, other) for other in kept):
            kept.append(cross)
    return tuple(_magnified(cross, binning) for cross in kept)


def _binned(image: NDArray[Any], binning: int) -> Floats:
    height, width = (n // binning * binning for n in image.shape)
    blocks = image[:height, :width].reshape(height // binning, binning, width // binning, binning)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _all_views(image: Floats) -> Iterator[Cross]:
    low, high = np.percentile(image, (0.5, 99.5))
    for level in np.linspace(low, high, _LEVELS + 2)[1:-1]:
        for contrast in (-1, 1):
            yield from _crosses_in(contrast * image > contrast * level, contrast)


def _crosses_in(mask: Mask, contrast: int) -> Iterator[Cross]:
    labels = labelled(mask)
    height, width = mask.shape
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = (part.stop - part.start for part in box)
        touches = min(box[0].start, box[1].start) == 0 or box[0].stop == height or box[1].stop == width
        if min(rows, columns) < _SMALLEST_PX or rows > _LARGEST * height or columns > _LARGEST * width:
            continue
        if not touches and (cross := _cross(labels[box] == label, box, contrast)) is not None:
            yield cross


def _cross(region: Mask, box: tuple[slice, slice], contrast: int) -> Cross | None:
    """The region as a cross; None when it is none."""
    upright, level = _band(region, 0), _band(region, 1)
    if upright is None or level is None:
        return None
    ideal = np.zeros_like(region)
    ideal[:, upright] = True
    ideal[level, :] = True
    likeness = float((region & ideal).sum() / (region | ideal).sum())
    if likeness < _LIKENESS:
        return None
    rows, columns = region.shape
    y, x = (level.start + level.stop - 1) / 2, (upright.start + upright.stop - 1) / 2
    return Cross(box[0].start + y, box[1].start + x, rows / 2, columns / 2, likeness, contrast)


def _band(region: Mask, axis: int) -> slice | None:
    """Where the arm along ``axis`` lies across it; None unless it is one narrow band near the middle."""
    filled = region.mean(axis=axis) > 0.75
    across = region.shape[1 - axis]
    where = np.flatnonzero(filled)
    if not where.size or where.size != where[-1] - where[0] + 1:
        return None
    off_centre = abs((where[0] + where[-1] + 1) / 2 - across / 2) / across
    narrow = _ARM_WIDTHS[0] <= where.size / across <= _ARM_WIDTHS[1]
    return slice(int(where[0]), int(where[-1]) + 1) if narrow and off_centre <= _OFF_CENTRE else None


def _same_place(one: Cross, other: Cross) -> bool:
    near_y = abs(one.y_px - other.y_px) < max(one.arm_y_px, other.arm_y_px)
    return near_y and abs(one.x_px - other.x_px) < max(one.arm_x_px, other.arm_x_px)


def _magnified(cross: Cross, binning: int) -> Cross:
    """In px of the image that was binned: the centre of a bin is not its first pixel's."""
    offset = (binning - 1) / 2
    return Cross(
        cross.y_px * binning + offset,
        cross.x_px * binning + offset,
        cross.arm_y_px * binning,
        cross.arm_x_px * binning,
        cross.likeness,
        cross.contrast,
    )
