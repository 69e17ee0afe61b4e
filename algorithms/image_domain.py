"""How far an image is from the images that a network knows.

Grey values and power spectrum, in figures that brightness and contrast do not touch, and their Mahalanobis
distance from those of known images.

The image is looked at as a network sees it: two percentiles of it have become 0 and 1. What is left is the
shape of the histogram, how the power is spread over spatial frequencies (focus, noise, the size of the
structures), how much more of it lies along rows or columns (curtains, lines), and whether dark pixels are
darker behind bright ones than before them (charging). Distances are per figure: 1 is what a known image has
on average. K. Lee et al., "A simple unified framework for detecting out-of-distribution samples …", NeurIPS
2018, take the same distance of a network's features.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TILE_PX = 64
LARGEST_PX = 768
"""Of the middle that the spectrum is taken of: more makes it no surer than what the samples differ by."""
SMALLEST_PX = 192
"""Side below which an image says too little; the known images are not much larger."""
EVERY_PX = 2
"""Of both axes, for the percentiles: a quarter of the pixels has the same ones."""
PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
BAND_EDGES = (0.8, 2.5, 4.5, 7.5, 11.5, 16.5, 22.5, 28.5, 46.0)
"""Periods of a tile, along its radius; the last band reaches into the corners."""
ALONG = (2, 12)
"""Periods of a tile between which the power along rows and columns is compared with the ring's."""
TRAIL_PX = 24
"""Behind a bright pixel, where the trail of its charge is looked for."""
DARK, BRIGHT = 0.3, 0.7
"""Ends of what counts as such, on the scale of 0 to 1."""
FIGURES = len(PERCENTILES) + len(BAND_EDGES) - 1 + 3
RIDGE = 1e-3
"""Of each figure's variance, added to it: figures that hardly differ must not divide by nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownDomain:
    """What is known of known images: ``mean`` (FIGURES,), ``whitening`` (FIGURES, FIGURES), which makes their
    deviations uncorrelated and of unit variance."""

    mean: Floats
    whitening: Floats


def learned_domain(figures: Floats) -> KnownDomain:
    """From the figures (image, FIGURES) of known images, many more of them than figures.

    Raises ValueError for fewer images than twice the figures.
    """
    if len(figures) < 2 * FIGURES:
        raise ValueError(f"{len(figures)} images do not tell how {FIGURES} figures scatter: give more")
    covariance = np.cov(figures, rowvar=False)
    covariance += RIDGE * np.diag(np.diag(covariance))
    lower = np.linalg.cholesky(covariance)
    return KnownDomain(figures.mean(axis=0), np.linalg.inv(lower).astype(np.float64))


def domain_distance(domain: KnownDomain, figures: Floats) -> float:
    """Root mean square of the figures' deviations, in standard deviations; NaN where a figure is."""
    deviations = domain.whitening @ (figures - domain.mean)
    return float(np.sqrt(np.mean(deviations**2)))


def image_figures(image: NDArray[Any], low: float, high: float) -> Floats:
    """Figures (FIGURES,) of an image (y, x) whose grey values ``low`` and ``high`` become 0 and 1; NaN where
    it is too small, or of one grey value."""
    if min(image.shape) < SMALLEST_PX or high <= low:
        return np.full(FIGURES, np.nan)
    sampled = image[::EVERY_PX, ::EVERY_PX]
    histogram = (np.percentile(sampled, PERCENTILES) - low) / (high - low)
    values = (_middle(image).astype(np.float32) - np.float32(low)) / np.float32(high - low)
    power = _power_spectrum(values)
    return np.concatenate((histogram, _bands(power), _along(power), [_trail(values)]))


def _middle(image: NDArray[Any]) -> NDArray[Any]:
    """At most LARGEST_PX a side, whole tiles."""
    sides = [min(side, LARGEST_PX) // TILE_PX * TILE_PX for side in image.shape]
    y, x = ((whole - side) // 2 for whole, side in zip(image.shape, sides, strict=True))
    return image[y : y + sides[0], x : x + sides[1]]


def _power_spectrum(values: NDArray[np.float32]) -> Floats:
    """Mean power (TILE_PX, TILE_PX // 2 + 1) of tiles under a Hann window, each without its mean (Welch)."""
    rows, columns = (side // TILE_PX for side in values.shape)
    tiles = values.reshape(rows, TILE_PX, columns, TILE_PX).swapaxes(1, 2).reshape(-1, TILE_PX, TILE_PX)
    window = np.hanning(TILE_PX).astype(np.float32)
    tiles = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * window[:, None] * window
    return np.mean(np.abs(np.fft.rfft2(tiles)) ** 2, axis=0)


def _bands(power: Floats) -> Floats:
    """Logarithm of the mean power in rings."""
    radius = np.hypot(*_periods())
    rings = [(radius >= inner) & (radius < outer) for inner, outer in pairwise(BAND_EDGES)]
    return np.log([power[ring].mean() for ring in rings])


def _along(power: Floats) -> Floats:
    """Logarithm of the power of what varies along y only, and along x only, over that of all directions."""
    y, x = _periods()
    first, last = ALONG
    ring = power[(np.hypot(y, x) >= first) & (np.hypot(y, x) <= last)].mean()
    along_y = power[(np.abs(y) >= first) & (np.abs(y) <= last) & (x == 0)].mean()
    along_x = power[(x >= first) & (x <= last) & (y == 0)].mean()
    return np.log([along_y / ring, along_x / ring])


def _trail(values: NDArray[np.float32]) -> float:
    """Mean of dark pixels with a bright one TRAIL_PX before them along the row, less that of those with a
    bright one as far behind them; 0 where there are no such pixels, and so no trail to be seen."""
    dark, bright, before = values < DARK, values > BRIGHT, slice(None, -TRAIL_PX)
    behind = values[:, TRAIL_PX:][dark[:, TRAIL_PX:] & bright[:, before]]
    ahead = values[:, before][dark[:, before] & bright[:, TRAIL_PX:]]
    return float(behind.mean() - ahead.mean()) if behind.size and ahead.size else 0.0


def _periods() -> tuple[Floats, Floats]:
    """Periods of a tile along y and x of every entry of the power spectrum."""
    along_y = (np.fft.fftfreq(TILE_PX) * TILE_PX).astype(np.float64)
    along_x = np.arange(TILE_PX // 2 + 1, dtype=np.float64)
    y, x = np.meshgrid(along_y, along_x, indexing="ij")
    return y, x
