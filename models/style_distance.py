"""How far two sets of images are from each other in style: grey values, and grey values seen from afar."""

import numpy as np
from numpy.typing import NDArray

COARSE_PX = 4
"""Means over squares of this side: what is left of contrast when the noise is averaged away."""
QUANTILES = (np.arange(500) + 0.5) / 500
COARSE_WEIGHT, FINE_WEIGHT = 20.0, 20.0
"""So that a change of 1 % of the contrast counts like one of the losses beside it."""


def style_distance(images: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Earth mover's distances of the grey values of (image, y, x), pixel by pixel and square by square."""
    fine = earth_movers_distance(images, others)
    coarse = earth_movers_distance(_seen_from_afar(images), _seen_from_afar(others))
    return FINE_WEIGHT * fine + COARSE_WEIGHT * coarse


def earth_movers_distance(values: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Mean distance of equal quantiles (Wasserstein-1)."""
    return float(np.abs(np.quantile(values, QUANTILES) - np.quantile(others, QUANTILES)).mean())


def _seen_from_afar(images: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (side // COARSE_PX * COARSE_PX for side in images.shape[-2:])
    squares = images[:, :rows, :columns].reshape(
        len(images), rows // COARSE_PX, COARSE_PX, columns // COARSE_PX, COARSE_PX
    )
    return squares.mean(axis=(2, 4))
