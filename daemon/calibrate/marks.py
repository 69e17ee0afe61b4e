"""What the reference channel's first images show: fiducials and a ruler, with how each moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.calibration_bars import Bar, find_bars, find_bars_like
from algorithms.calibration_crosses import Cross, find_crosses
from algorithms.calibration_motion import Angle, Travel, angle_from_depth, angle_from_target, track, travel_of
from algorithms.fiducials import FiducialRegion, register_image, start_registration
from algorithms.registration import SMALLEST_PX
from daemon.calibrate.first_images import Series
from daemon.geometry import FaceGeometry

_FRAME: Final = 1.25
"""A fiducial's box over its cross: the edges of the arms' ends belong to it."""
_SEEN_IN: Final = 0.7
_LEAST_SEARCH_PX: Final = 32
_RECESSION_SIGMA_PX: Final = 0.1
_TELLING_RECESSION_PX: Final = 4.0

Image = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The first images of the reference channel: ``milled`` (n,) slices lie between the first and each, more
    than images where some are missing; ``bars`` are those of the first and those like them in every other.
    """

    images: Sequence[Image]
    milled: NDArray[np.int64]
    bars: Sequence[tuple[Bar, ...]]


@dataclass(frozen=True, slots=True)
class Fiducial:
    """A cross that is seen in most images, its box in the first one, and whether the mill removes it."""

    cross: Cross
    region: FiducialRegion


@dataclass(frozen=True, slots=True)
class Ruler:
    """The bars of the first image, how they travel, and their angle."""

    bars: tuple[Bar, ...]
    travel: Travel
    angle: Angle


def views_of(series: Series) -> Views:
    """The images of a channel by slice number, with their bars."""
    images = [frame.image for frame in series.values()]
    numbers = np.array(list(series), dtype=np.int64)
    first = find_bars(images[0])
    bars = [first, *(find_bars_like(image, first[0]) if first else () for image in images[1:])]
    return Views(images, numbers - numbers[0], bars)


def find_fiducials(views: Views, target_px: float) -> tuple[Fiducial, ...]:
    """Crosses that persist from slice to slice; ``target_px`` is the recession expected of one slice."""
    seen = [find_crosses(image) for image in views.images]
    found: list[Fiducial] = []
    for cross in seen[0]:
        path = _path(cross, seen)
        if np.isfinite(path).mean() >= _SEEN_IN:
            on_surface = _is_on_surface(cross, path, views, target_px)
            found.append(Fiducial(cross, _region(cross, views.images[0].shape, surface=on_surface)))
    return tuple(found)


def find_ruler(
    views: Views, fiducials: Sequence[Fiducial], geometry: FaceGeometry, target_nm: float
) -> Ruler | None:
    """The bars of the first image as a ruler; None when they do not move as one."""
    bars = views.bars
    if not bars[0]:
        return None
    seen, centres = track(bars)
    face = _shifts(views.images, [f.region for f in fiducials if not f.region.surface])
    travel = travel_of(views.milled[seen].astype(np.float64), centres, face[seen, 1])
    if travel is None or {abs(d) for d in travel.directions} != {0, 1}:
        return None
    surface = [f.region for f in fiducials if f.region.surface]
    if not surface or len(surface) == len(fiducials):
        return Ruler(bars[0], travel, angle_from_target(travel, geometry.pixel_x_nm, target_nm))
    recession = (face - _shifts(views.images, surface))[seen, 0]
    depth_nm = recession / geometry.recession_px_per_nm
    sigma_nm = _RECESSION_SIGMA_PX / geometry.recession_px_per_nm
    return Ruler(bars[0], travel, angle_from_depth(travel, geometry.pixel_x_nm, depth_nm, sigma_nm))


def largest_shift_px(images: Sequence[Image], fiducials: Sequence[Fiducial]) -> float:
    """How far the face wanders in these images."""
    return float(np.abs(_shifts(images, [f.region for f in fiducials if not f.region.surface])).max())


def _path(cross: Cross, seen: Sequence[tuple[Cross, ...]]) -> NDArray[np.float64]:
    """Row of the cross in every image, found near where it was last; NaN where it is not seen: (n,)."""
    last, rows = cross, list[float]()
    for crosses in seen:
        near = [c for c in crosses if _apart(c, last) < 1.0 and c.contrast == cross.contrast]
        last = min(near, key=lambda c: _apart(c, last), default=last)
        rows.append(last.y_px if near else np.nan)
    return np.array(rows)


def _apart(one: Cross, other: Cross) -> float:
    """Distance in arm lengths."""
    return float(np.hypot((one.y_px - other.y_px) / other.arm_y_px, (one.x_px - other.x_px) / other.arm_x_px))


def _is_on_surface(cross: Cross, path: NDArray[np.float64], views: Views, target_px: float) -> bool:
    """Whether the face recedes from a mark; by its place above the ruler when nothing has moved enough."""
    face = np.array([b[0].y1_px if b else np.nan for b in views.bars])
    known = np.flatnonzero(np.isfinite(path) & np.isfinite(face))
    if known.size and views.milled[known[-1]] * target_px >= _TELLING_RECESSION_PX:
        sunk = (path - face)[known[-1]] - (path - face)[known[0]]
        return bool(sunk > 0.5 * target_px * (views.milled[known[-1]] - views.milled[known[0]]))
    first = views.bars[0]
    return bool(first) and cross.y_px + cross.arm_y_px < first[0].y0_px


def _region(cross: Cross, shape: tuple[int, ...], *, surface: bool) -> FiducialRegion:
    """The box around a cross, whole px inside the image."""
    half_y = max(_FRAME * cross.arm_y_px, SMALLEST_PX / 2 + 1)
    half_x = max(_FRAME * cross.arm_x_px, SMALLEST_PX / 2 + 1)
    top, left = max(round(cross.y_px - half_y), 0), max(round(cross.x_px - half_x), 0)
    bottom, right = min(round(cross.y_px + half_y), shape[0]), min(round(cross.x_px + half_x), shape[1])
    return FiducialRegion(left, top, right - left, bottom - top, _LEAST_SEARCH_PX, surface=surface)


def _shifts(images: Sequence[Image], regions: Sequence[FiducialRegion]) -> NDArray[np.float64]:
    """Shift (dy, dx) of every image on these marks, or on the face without any: (n, 2) px."""
    plain = tuple(
        FiducialRegion(r.x_px, r.y_px, r.width_px, r.height_px, r.search_px) for r in regions
    )  # each kind of mark is followed for itself, so none needs the recession
    state = start_registration(plain, ("reference",), "reference")
    shifts: list[tuple[float, float]] = []
    for image in images:
        state, found = register_image(state, "reference", image)
        shifts.append((found.dy_px, found.dx_px))
    return np.array(shifts)
