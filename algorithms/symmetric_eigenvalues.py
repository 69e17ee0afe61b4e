"""Eigenvalues of a symmetric matrix at every pixel, in closed form."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
TINY = np.float32(1e-12)


def eigenvalues_of_three(matrix: tuple[Floats, Floats, Floats, Floats, Floats, Floats]) -> list[Floats]:
    """Of [[a, d, e], [d, b, f], [e, f, c]] given as (a, b, c, d, e, f), each (h, w): largest first.

    O. K. Smith, "Eigenvalues of a symmetric 3 × 3 matrix", Commun. ACM 4, 168 (1961).
    """
    a, b, c, d, e, f = matrix
    mean = (a + b + c) / 3
    a, b, c = a - mean, b - mean, c - mean
    off = d * d + e * e + f * f
    scale = np.sqrt((a * a + b * b + c * c + 2 * off) / 6) + TINY
    determinant = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
    angle = np.arccos(np.clip(determinant / (2 * scale**3), -1, 1)) / np.float32(3)
    first = mean + 2 * scale * np.cos(angle)
    last = mean + 2 * scale * np.cos(angle + np.float32(2 * np.pi / 3))
    return [first, 3 * mean - first - last, last]


def eigenvalues_of_two(a: Floats, b: Floats, c: Floats) -> list[Floats]:
    """Of [[a, c], [c, b]], each (h, w): larger first."""
    mean, half = (a + b) / 2, (a - b) / 2
    radius = np.sqrt(half * half + c * c)
    return [mean + radius, mean - radius]
