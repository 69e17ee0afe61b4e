"""The grain of deposited and milled surfaces: a random field in closed form, exact at any coordinate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WAVES = 48
GRAIN_PX = (3.0, 24.0)
"""Shortest and longest wavelength, px of the image's columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A sum of plane waves: ``waves`` (n, 3) wave vectors along (z, y, x) in rad/nm, ``phases`` (n,) rad."""

    waves: NDArray[np.float64]
    phases: NDArray[np.float64]


def draw_texture(rng: np.random.Generator, pixel_size_nm: float) -> Texture:
    """Waves of random direction with wavelengths spread evenly in their logarithm over ``GRAIN_PX``."""
    direction = rng.normal(size=(WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length_nm = pixel_size_nm * np.exp(rng.uniform(np.log(GRAIN_PX[0]), np.log(GRAIN_PX[1]), WAVES))
    return Texture(2 * np.pi * direction / length_nm[:, None], rng.uniform(0, 2 * np.pi, WAVES))


def texture_at(
    texture: Texture, z_nm: float, y_nm: NDArray[np.float64], x_nm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The field of unit variance at depth z on the grid of (h,) and (w,) coordinates: float32 (h, w).

    cos(a + b) = cos a · cos b − sin a · sin b makes it two matrix products.
    """
    rows = np.multiply.outer(y_nm, texture.waves[:, 1]) + texture.waves[:, 0] * z_nm + texture.phases
    columns = np.multiply.outer(texture.waves[:, 2], x_nm)
    field = np.cos(rows) @ np.cos(columns) - np.sin(rows) @ np.sin(columns)
    return (field * np.sqrt(2.0 / len(texture.phases))).astype(np.float32)
