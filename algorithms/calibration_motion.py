"""What ruler marks do from slice to slice: which stay, which travel and where to, and at what angle.

A mark's travel in the sample is its movement in the image plus the image's own shift. It grows with depth, so
marks fall into three groups: those that travel to larger x, to smaller x, and those that stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.calibration_bars import Bar

Array: TypeAlias = NDArray[np.float64]

MILLING_SCATTER = 0.31
"""σ of one slice's thickness over its mean: 3.12 of 10.16 nm in the published run (SCIENCE §1)."""
NOMINAL_ANGLE_DEG = 45.0
_SMALLEST_TRAVEL_PX = 2.0
_STAYS, _TRAVELS = 0.3, 0.7  # of the fastest mark's travel
_AGREES = 2.5  # standard errors


@dataclass(frozen=True, slots=True)
class Travel:
    """Directions of the marks (0 stays, ±1 travels) and the mean travel of the travelling ones.

    ``travel_px`` (slice,) is cumulative, of the inclined marks, positive with depth; ``offset`` (slice,) are
    the slice numbers it belongs to, from 0.
    """

    directions: tuple[int, ...]
    offset: Array
    travel_px: Array


@dataclass(frozen=True, slots=True)
class Angle:
    """Angle of the inclined marks against the milling direction, with its standard error; how it is known."""

    degrees: float
    sigma_deg: float
    source: str


def track(slices: Sequence[tuple[Bar, ...]]) -> tuple[NDArray[np.int64], Array]:
    """Follow the bars of the first image: the images where all are seen (n,), their centres (n, bars) px.

    Marks of a readable ruler never meet, so their order identifies them; a slice where one has jumped by more
    than half their distance shows something else.
    """
    last, reach = slices[0], min(b.x_px - a.x_px for a, b in pairwise(slices[0])) / 2
    seen: list[int] = []
    for number, bars in enumerate(slices):
        if len(bars) == len(last) and all(
            abs(b.x_px - a.x_px) < reach for a, b in zip(last, bars, strict=True)
        ):
            seen.append(number)
            last = bars
    return np.array(seen, dtype=np.int64), np.array([[bar.x_px for bar in slices[n]] for n in seen])


def travel_of(numbers: Array, centres_px: Array, shifts_px: Array) -> Travel | None:
    """Tell the marks apart by their motion.

    ``numbers`` (n,) are slice numbers from 0, ``centres_px`` (n, marks), ``shifts_px`` (n,) the images'
    shifts along x. None when nothing moves enough to tell, or a mark moves neither with the others nor stays.
    """
    moved = centres_px + shifts_px[:, None]
    moved = moved - moved[0]
    if not np.any(numbers > 0):
        return None
    speed = (numbers @ moved) / (numbers @ numbers)
    fastest = float(np.abs(speed).max())
    relative = np.abs(speed) / max(fastest, 1e-9)
    undecided = (relative > _STAYS) & (relative < _TRAVELS)
    if fastest * float(numbers.max()) < _SMALLEST_TRAVEL_PX or undecided.any():
        return None
    directions = np.where(relative < _STAYS, 0.0, np.sign(speed))
    inclined = directions != 0.0
    travel = (moved[:, inclined] * directions[inclined]).mean(axis=1)
    return Travel(tuple(int(d) for d in directions), numbers, travel)


def angle_from_target(travel: Travel, pixel_nm: float, target_nm: float) -> Angle:
    """The angle that makes the mean slice as thick as was asked for, or 45° where that agrees with it.

    The scatter of milling makes it uncertain: the nominal angle is better known than so few slices can tell.
    """
    last = float(travel.offset[-1])
    tangent = float(travel.travel_px[-1]) * pixel_nm / (target_nm * last)
    degrees = float(np.degrees(np.arctan(tangent)))
    relative = MILLING_SCATTER / np.sqrt(last)
    sigma = float(np.degrees(relative * tangent / (1.0 + tangent**2)))
    if abs(degrees - NOMINAL_ANGLE_DEG) <= _AGREES * sigma:
        return Angle(NOMINAL_ANGLE_DEG, sigma, "assumed")
    return Angle(degrees, sigma, "target")


def angle_from_depth(travel: Travel, pixel_nm: float, depth_nm: Array, sigma_nm: float) -> Angle:
    """The angle from depths (n,) that were measured otherwise, each with the error ``sigma_nm``."""
    travelled = travel.travel_px * pixel_nm
    tangent = float(travelled @ depth_nm) / float(depth_nm @ depth_nm)
    sigma = tangent * sigma_nm / float(np.sqrt(depth_nm @ depth_nm))
    return Angle(
        float(np.degrees(np.arctan(tangent))), float(np.degrees(sigma / (1.0 + tangent**2))), "recession"
    )
