"""The clean backscatter image of a face: what the beam sees, before the instrument adds its noise.

A column model with lateral spread. Going down a column, each layer of thickness t and material m advances
the reduced depth u by t/(R_m/2) and sends back η_m·[g(u) − g(u')], with range R, coefficient η and response g
of :mod:`algorithms.electrons`. Hence bulk material shows its own η, gold under epoxy shines through, and a
thin ligament is darker at voltages that go through it. Scattered electrons fan out: what lies at depth z is
seen through a lateral Gaussian whose σ grows with z, the response of each point as its weight.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from algorithms.depth_response import DepthResponse, formula_response

LARGE_SIGMA_PX = 2.5
"""From here on three moving averages stand for a Gaussian: faster, and within 0.2 px of its σ."""
TINY = np.float32(1e-6)
"""Keeps the quotient of two vanishing responses at 0 below thick gold."""


def backscatter_image(
    layers: NDArray[np.uint8],
    depths_nm: NDArray[np.float64],
    voltage_kv: float,
    pixel_nm: tuple[float, float],
    response: DepthResponse | None = None,
) -> NDArray[np.float32]:
    """Backscattered electrons per incident electron, noise-free: float32 (h, w), from η of epoxy to of gold.

    ``layers`` uint8 (k, h, w) holds the phases (0 epoxy, 1 gold) at ``depths_nm`` (k,) below the face, the
    first at 0; ``pixel_nm`` is the pixel's size along (y, x) on the face. Below the last layer is epoxy.
    Without a ``response`` it is that of the formulas.
    """
    response = response or formula_response(voltage_kv)
    image = np.zeros(layers.shape[1:], dtype=np.float32)
    depth, transmitted = np.zeros_like(image), np.ones_like(image)
    for band, depth_nm in _bands(depths_nm):
        sigma_nm = response.spread_nm(depth_nm)
        before = _spread(response.below(depth), sigma_nm, pixel_nm) + TINY
        signal, depth = _look_through(layers[band], _thicknesses_nm(depths_nm)[band], depth, response)
        image += transmitted * _spread(signal, sigma_nm, pixel_nm) / before
        transmitted *= _spread(response.below(depth), sigma_nm, pixel_nm) / before
    image += float(response.eta[0]) * transmitted
    return image


def _thicknesses_nm(depths_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A layer reaches half-way to its neighbours; the first begins at the face, the last ends at itself."""
    middles = (depths_nm[1:] + depths_nm[:-1]) / 2
    return np.diff(np.concatenate(([0.0], middles, depths_nm[-1:])))


def _bands(depths_nm: NDArray[np.float64]) -> list[tuple[slice, float]]:
    """Layers that share one lateral spread: (slice of layers, mean depth), limits doubling."""
    limits = 5.0 * 2.0 ** np.arange(12)
    starts = np.unique(np.searchsorted(depths_nm, limits))
    edges = [0, *starts[(starts > 0) & (starts < len(depths_nm))].tolist(), len(depths_nm)]
    return [(slice(a, b), float(depths_nm[a:b].mean())) for a, b in pairwise(edges)]


def _look_through(
    layers: NDArray[np.uint8],
    thicknesses_nm: NDArray[np.float64],
    above: NDArray[np.float32],
    response: DepthResponse,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signal of a band of layers, Σ η·Δg, and the reduced depth below it, given the reduced depth above."""
    signal, depth, unseen = np.zeros_like(above), above, response.below(above)
    for layer, thickness_nm in zip(layers, thicknesses_nm, strict=True):
        depth = depth + (thickness_nm / response.unit_nm).astype(np.float32)[layer]
        still_unseen = response.below(depth)
        signal += response.eta[layer] * (unseen - still_unseen)
        unseen = still_unseen
    return signal, depth


def _spread(
    image: NDArray[np.float32], sigma_nm: float, pixel_nm: tuple[float, float]
) -> NDArray[np.float32]:
    """Gaussian blur along both axes; below a quarter of a pixel it would change nothing and is left out."""
    for axis in (0, 1):
        sigma_px = sigma_nm / pixel_nm[axis]
        if sigma_px >= LARGE_SIGMA_PX:
            image = _box_blur(image, sigma_px, axis)
        elif sigma_px >= 0.25:
            image = np.asarray(gaussian_filter1d(image, sigma_px, axis, truncate=3.0), dtype=np.float32)
    return image


def _box_blur(image: NDArray[np.float32], sigma_px: float, axis: int) -> NDArray[np.float32]:
    """Three moving averages, whose widths are the odd numbers that come closest to the Gaussian's variance.

    Its cost does not depend on σ. W. M. Wells, "Efficient synthesis of Gaussian filters by cascaded uniform
    filters", IEEE Trans. Pattern Anal. Mach. Intell. 8, 234 (1986).
    """
    narrow = 2 * int((np.sqrt(4 * sigma_px**2 + 1) - 1) / 2) + 1
    wide = round((12 * sigma_px**2 - 3 * narrow**2 + 3) / (4 * narrow + 4))
    for width in (narrow,) * (3 - wide) + (narrow + 2,) * wide:
        image = np.asarray(uniform_filter1d(image, width, axis), dtype=np.float32)
    return image
