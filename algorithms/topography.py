"""The picture of a face whose pores are empty: what is behind the face is a landscape that the beam lights.

Down every column the beam meets the first solid; that depth, the *relief*, is 0 on the face. Secondary
electrons leave it the more the steeper it lies [1]_, and only those that find a way out of the pore are seen:
a chamber detector beside the sample sees what is open towards it, a detector in the lens looks down along the
beam. So a pore's ground is brighter than the face near its rim, dark where it is deep and narrow, and comes
up gradually, slice by slice, until the face cuts it.

.. [1] L. Reimer, "Scanning Electron Microscopy", 2nd ed., Springer 1998, §4.2: the yield of secondary
   electrons grows as the secant of the tilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from algorithms.acquisition import FaceGrid
from algorithms.electrode import ElectrodePlane, ElectrodeStructure, electrode_planes, phases_of
from algorithms.particle_volumes import ACTIVE, PORE
from algorithms.structures import field_at

Floats = NDArray[np.floating]
FIRST_STEP_NM = 8.0
STEP_GROWTH = 0.06
DEEPEST_NM = 1500.0
"""Farther behind the face nothing is lit any more."""
HORIZON_NM = (10.0, 20.0, 35.0, 60.0, 100.0, 160.0, 260.0, 420.0)
"""Distances at which the relief is asked whether it hides the detector."""


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """``depth_nm`` float32 (h, w) of the first solid below the face, 0 on it; ``material`` its phase, 0 where
    there is none; ``face`` the phases of the face itself: uint8 (h, w). ``film`` float32 (h, w) is the share
    of the ground that redeposited material covers, ``grain`` the relative brightness of active material."""

    depth_nm: Floats
    material: NDArray[np.uint8]
    face: NDArray[np.uint8]
    film: Floats
    grain: Floats


@dataclass(frozen=True, slots=True)
class SignalDetector:
    """What a detector makes of a relief.

    ``yields`` are the signals of milled active material, milled binder, and of a film of both. ``rough`` is
    how much more comes from a surface as it grew than from one polished by the ion beam. A slope raises it
    by its secant to the power ``edge``. ``azimuths_deg`` are the directions (0: along +x, 90: up the image)
    whose horizons hide the ground from the detector, ``shadow`` how strongly; ``lean`` is how much more it
    gets from slopes that face it.
    """

    name: str
    yields: tuple[float, float, float]
    rough: float
    edge: float
    azimuths_deg: tuple[float, ...]
    shadow: float
    lean: float = 0.0


ANGLED_SE2 = SignalDetector("SE2", (0.10, 0.074, 0.088), 7.3, 0.55, (50.0, 90.0, 130.0), 1.6, 0.3)
"""Set so that two and three thresholds misplace as much of the picture as in the multi-signal paper."""
IN_LENS = SignalDetector("InLens", (0.34, 0.22, 0.26), 1.5, 0.6, (0.0, 60.0, 120.0, 180.0, 240.0, 300.0), 1.8)
GRAIN = 0.05
"""Rms relative brightness of the grains of active material."""
FILM_REACH_NM = 300.0
"""Redeposited material hangs in pores no deeper than this behind the face."""
STEEPEST = 3.0
"""Slopes are no steeper to a beam of finite width."""
SPREAD_NM = 8.0
"""Rms radius of where a pixel's signal comes from."""


def see_relief(structure: ElectrodeStructure, depth_nm: float, grid: FaceGrid) -> Relief:
    """The relief behind the face at this depth."""
    return next(reliefs_upwards(structure, np.array([depth_nm]), grid))


def reliefs_upwards(
    structure: ElectrodeStructure, depths_nm: NDArray[np.float64], grid: FaceGrid
) -> Iterator[Relief]:
    """The reliefs behind faces at rising depths (n,), **the deepest first**: each follows from the one below.

    A surface between two planes is put where the depth in the solid crosses 0.
    """
    tail_nm = depths_nm[-1] + _tail_nm()
    every_nm = np.concatenate([depths_nm, tail_nm])[::-1]
    planes = electrode_planes(structure, every_nm, grid.y_nm, grid.x_nm)
    below = next(planes)
    ground = _Ground(np.full(below.solid_nm.shape, DEEPEST_NM, np.float32), phases_of(below))
    for number, (plane, gap_nm) in enumerate(zip(planes, -np.diff(every_nm), strict=True), start=1):
        ground = _one_up(plane, below, ground, np.float32(gap_nm))
        below = plane
        if number >= len(tail_nm):
            yield _relief(structure, float(every_nm[number]), grid, ground, phases_of(plane))


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """The first solid below a plane: depth under the plane, nm, and its phase; (h, w)."""

    depth_nm: Floats
    material: NDArray[np.uint8]


def _one_up(plane: ElectrodePlane, below: ElectrodePlane, ground: _Ground, gap_nm: np.float32) -> _Ground:
    """The ground under a plane from that under the plane a gap below it."""
    is_solid, hits_next = plane.solid_nm > 0, below.solid_nm > 0
    way = plane.solid_nm - below.solid_nm
    share = np.where(hits_next & ~is_solid, plane.solid_nm / np.where(way < 0, way, np.float32(-1)), 1)
    depth = gap_nm * share.astype(np.float32) + np.where(hits_next, np.float32(0), ground.depth_nm)
    depth = np.where(is_solid, np.float32(0), np.minimum(depth, np.float32(DEEPEST_NM)))
    return _Ground(depth, np.where(is_solid, phases_of(plane), ground.material))


def _relief(
    structure: ElectrodeStructure, depth_nm: float, grid: FaceGrid, ground: _Ground, face: NDArray[np.uint8]
) -> Relief:
    here = np.array([depth_nm]), grid.y_nm, grid.x_nm
    grain = 1 + np.float32(GRAIN) * field_at(structure.grains, *here)[0]
    film = _film(field_at(structure.film, *here)[0] - np.float32(structure.film_cut))
    material = np.where(ground.depth_nm < DEEPEST_NM, ground.material, np.uint8(PORE))
    return Relief(ground.depth_nm, material, face, film, grain)


def relief_signal(relief: Relief, detector: SignalDetector, pixel_nm: tuple[float, float]) -> Floats:
    """The clean signal of a detector: float32 (h, w) in [0, 1]; ``pixel_nm`` is along (y, x)."""
    down, across = (np.clip(slope, -STEEPEST, STEEPEST) for slope in _slopes(relief.depth_nm, pixel_nm))
    secant = np.sqrt(1 + down**2 + across**2)
    signal = _flat(relief, detector) * secant ** np.float32(detector.edge)
    signal *= _light(relief.depth_nm, detector, pixel_nm) * _lean(down, across, secant, detector)
    sigma_px = tuple(SPREAD_NM / length for length in pixel_nm)
    return np.clip(np.asarray(gaussian_filter(signal, sigma_px), dtype=np.float32), 0, 1)


def _tail_nm() -> NDArray[np.float64]:
    """Depths below a face to look at, in steps that grow."""
    count = int(np.ceil(np.log1p(DEEPEST_NM * STEP_GROWTH / FIRST_STEP_NM) / np.log1p(STEP_GROWTH)))
    return FIRST_STEP_NM * np.expm1(np.arange(1, count + 1) * np.log1p(STEP_GROWTH)) / STEP_GROWTH


def _film(excess: Floats) -> Floats:
    """Coverage with a soft border, from how far the field is above its cut."""
    return np.clip(excess / np.float32(0.3), 0, 1)


def _flat(relief: Relief, detector: SignalDetector) -> Floats:
    """The signal of the ground without its slope and shadow."""
    active, binder, film = detector.yields
    signal = np.array([0.0, active, binder], dtype=np.float32)[relief.material]
    signal *= np.where(relief.material == ACTIVE, relief.grain, np.float32(1))
    grown = relief.depth_nm > 0
    covered = relief.film * (grown & (relief.depth_nm < FILM_REACH_NM))
    signal = np.where(grown, signal * np.float32(detector.rough), signal)
    return (signal + covered * (np.float32(film) - signal)).astype(np.float32)


def _slopes(depth_nm: Floats, pixel_nm: tuple[float, float]) -> tuple[Floats, Floats]:
    """How the relief falls along +y and +x, nm per nm."""
    down, across = np.gradient(depth_nm, *pixel_nm)
    return np.asarray(down, dtype=np.float32), np.asarray(across, dtype=np.float32)


def _light(depth_nm: Floats, detector: SignalDetector, pixel_nm: tuple[float, float]) -> Floats:
    """Share of the way out that the relief leaves open, a mean over the detector's directions."""
    light = np.zeros_like(depth_nm)
    for azimuth in np.radians(detector.azimuths_deg):
        steepest = np.zeros_like(depth_nm)
        for distance_nm in HORIZON_NM:
            offset = (
                -np.sin(azimuth) * distance_nm / pixel_nm[0],
                np.cos(azimuth) * distance_nm / pixel_nm[1],
            )
            beyond = _moved(depth_nm, round(offset[0]), round(offset[1]))
            np.maximum(steepest, (depth_nm - beyond) / np.float32(distance_nm), out=steepest)
        light += 1 - steepest / np.sqrt(1 + steepest**2)
    return (light / len(detector.azimuths_deg)) ** np.float32(detector.shadow)


def _lean(down: Floats, across: Floats, secant: Floats, detector: SignalDetector) -> Floats:
    """More from slopes that face the detector, less from those that turn away."""
    if detector.lean == 0:
        return np.ones_like(down)
    azimuth = np.radians(np.mean(detector.azimuths_deg))
    # The relief is a depth: where it grows towards the detector, the ground turns its back on it.
    towards = (down * np.sin(azimuth) - across * np.cos(azimuth)) / secant
    return np.clip(1 + np.float32(detector.lean) * towards, 0, None).astype(np.float32)


def _moved(image: Floats, rows: int, columns: int) -> Floats:
    """image[y + rows, x + columns], the edge repeated."""
    y = np.clip(np.arange(image.shape[0]) + rows, 0, image.shape[0] - 1)
    x = np.clip(np.arange(image.shape[1]) + columns, 0, image.shape[1] - 1)
    return image[y][:, x]
