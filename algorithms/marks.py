"""Registration and ruler marks drawn exactly: what a pixel records of a shape with straight edges.

A pixel of index ``i`` covers ``[i − ½, i + ½]`` and records the mean of the scene over itself, after the
scene was blurred by a Gaussian beam of standard deviation ``sigma_px`` (0: no blur). For shapes with edges
along the axes both integrals have a closed form, so a mark can be put at any real position without
interpolation. All positions are in px; ``origin_px`` is the coordinate of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Coverage = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with its edges along the axes, px: ``y0 ≤ y ≤ y1``, ``x0 ≤ x ≤ x1``."""

    y0: float
    y1: float
    x0: float
    x1: float

    def __post_init__(self) -> None:
        if not (self.y0 <= self.y1 and self.x0 <= self.x1):
            raise ValueError(f"a box has y0 ≤ y1 and x0 ≤ x1, not {self}")


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """The pixels of an image: ``height`` × ``width``, the first one centred on (origin_y_px, origin_x_px)."""

    height: int
    width: int
    origin_y_px: float = 0.0
    origin_x_px: float = 0.0


def edge_coverage(distance_px: ArrayLike, sigma_px: float = 0.0) -> Coverage:
    """Share of a pixel that lies beyond an edge: 0 far before it, ½ on it, 1 far beyond; any shape.

    ``distance_px`` is pixel centre minus edge. With blur it is ∫Φ(u/σ)du over the pixel, whose antiderivative
    is ``u·Φ(u/σ) + σ·φ(u/σ)``, with Φ and φ the normal distribution and density. Raises ValueError for a
    negative blur.
    """
    if sigma_px < 0.0:
        raise ValueError(f"sigma_px = {sigma_px:g}: a blur is not negative")
    distance = np.asarray(distance_px, dtype=np.float64)
    if sigma_px == 0.0:
        return np.clip(distance + 0.5, 0.0, 1.0)
    return _blurred_ramp(distance + 0.5, sigma_px) - _blurred_ramp(distance - 0.5, sigma_px)


def interval_coverage(
    count: int, start_px: ArrayLike, stop_px: ArrayLike, *, origin_px: float = 0.0, sigma_px: float = 0.0
) -> Coverage:
    """Share of each of ``count`` pixels in a row that lies between two edges: (…, count) in [0, 1].

    ``start_px`` and ``stop_px`` broadcast against each other and give the leading axes: two numbers draw one
    interval, two (h, 1) columns one interval per image row, that is, a bar whose edges may be slanted.
    """
    centres = origin_px + np.arange(count, dtype=np.float64)
    begins = edge_coverage(centres - np.asarray(start_px, dtype=np.float64), sigma_px)
    return begins - edge_coverage(centres - np.asarray(stop_px, dtype=np.float64), sigma_px)


def box_coverage(grid: PixelGrid, box: Box, sigma_px: float = 0.0) -> Coverage:
    """Share of every pixel of the grid that lies in the box: (height, width) in [0, 1]."""
    rows = interval_coverage(grid.height, box.y0, box.y1, origin_px=grid.origin_y_px, sigma_px=sigma_px)
    columns = interval_coverage(grid.width, box.x0, box.x1, origin_px=grid.origin_x_px, sigma_px=sigma_px)
    return np.outer(rows, columns)


def cross_coverage(
    grid: PixelGrid,
    centre_px: tuple[float, float],
    arm_px: tuple[float, float],
    width_px: tuple[float, float],
    sigma_px: float = 0.0,
) -> Coverage:
    """Share of every pixel in an upright cross: (height, width) in [0, 1].

    ``centre_px`` is (y, x), ``arm_px`` the half lengths of the upright and the level trench, ``width_px`` the
    level trench's width along y and the upright one's along x. Blurring is linear, so the union is the sum of
    both trenches less their common box, exactly.
    """
    y, x = centre_px
    half_y, half_x = width_px[0] / 2, width_px[1] / 2
    upright = Box(y - arm_px[0], y + arm_px[0], x - half_x, x + half_x)
    level = Box(y - half_y, y + half_y, x - arm_px[1], x + arm_px[1])
    common = Box(y - half_y, y + half_y, x - half_x, x + half_x)
    union = box_coverage(grid, upright, sigma_px) + box_coverage(grid, level, sigma_px)
    return union - box_coverage(grid, common, sigma_px)


def mark_centre_px(
    start_px: float, depth_nm: float, *, direction: int, angle_deg: float, pixel_size_nm: float
) -> float:
    """Where the face cuts a ruler trench: its x in px, for a trench that leaves depth 0 at ``start_px``.

    An inclined trench (``direction`` ±1) travels by tan(angle)·depth, a parallel one (0) stays: the ruler of
    A. Shkurmanov, T. Krekeler, M. Ritter, "Slice thickness optimization for the focused ion beam-scanning
    electron microscopy 3D tomography of hierarchical nanoporous gold", Nanomanuf. Metrol. 5, 112 (2022).
    """
    travel_nm = direction * float(np.tan(np.radians(angle_deg))) * depth_nm
    return start_px + travel_nm / pixel_size_nm


def _blurred_ramp(distance: Coverage, sigma: float) -> Coverage:
    """∫ of the blurred unit step from −∞ to ``distance``."""
    scaled = distance / sigma
    density = np.exp(-0.5 * scaled**2) / np.sqrt(2.0 * np.pi)
    return distance * ndtr(scaled) + sigma * density
