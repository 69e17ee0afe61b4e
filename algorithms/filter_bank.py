"""The filters that a random forest is usually given: edges, smoothing and texture at six scales, in 3-D.

At every scale σ (px, and slices): the smoothed grey value, the Laplacian, the gradient's magnitude, the
difference of two Gaussians, and the eigenvalues of the structure tensor and of the Hessian: 10 features, 60
in all, the families of Berg et al. [1]_. A window of slices gives the features of its middle slice alone, so
a stack is worked through slice by slice: first the slices are summed with a kernel along z, then the plane
that results is filtered along y and x. Along z no kernel reaches farther than the window. Wide filters are
computed on a grid of fewer pixels, since what they give is smooth.

.. [1] S. Berg et al., "ilastik: interactive machine learning for (bio)image analysis", Nat. Methods 16, 1226
   (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from algorithms.resampling import axis_weights
from algorithms.symmetric_eigenvalues import eigenvalues_of_three

Floats = NDArray[np.floating]
SCALES_PX = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)
TRUNCATE = 3.0
"""Kernels end at so many σ."""
TENSOR_SHARE = 0.5
"""The structure tensor is averaged over so many times the scale of its gradient."""
NARROWER = 0.66
"""Of the two Gaussians that are subtracted, the second is narrower by this factor."""
KINDS = ("smooth", "laplacian", "gradient", "difference", "tensor", "tensor", "tensor") + ("hessian",) * 3
REACH_PX = int(np.ceil(TRUNCATE * SCALES_PX[-1] * (1 + TENSOR_SHARE))) + 4
"""Farther pixels do not matter, of which 4 for the grid of fewer pixels."""
COARSEST = 4
"""The grid for the widest filters has so many px per sample: sides of an image are multiples of it."""


@dataclass(frozen=True, slots=True)
class FeatureName:
    """What a feature is: the ``signal`` it comes from, its ``kind`` and its ``scale`` in words."""

    signal: str
    kind: str
    scale: str


def filter_names(signal: str) -> list[FeatureName]:
    """The 60 features of one signal, in the order of :func:`filter_features`."""
    return [FeatureName(signal, kind, f"{scale:g} px") for scale in SCALES_PX for kind in KINDS]


def filter_features(window: Floats) -> Iterator[Floats]:
    """The features of the middle slice of a window (slices, y, x), slices odd in number: 60 × float32 (y, x).

    y and x are multiples of COARSEST.
    """
    for scale in SCALES_PX:
        step = 1 if scale < 3 else 2 if scale < 8 else COARSEST
        coarse = window if step == 1 else _binned(window, step)
        for feature in _features_at(coarse, scale, scale / step):
            yield feature if step == 1 else _refined(feature, step, window.shape[1:])


def smoothed(plane: Floats, sigma_px: float, orders: tuple[int, int] = (0, 0)) -> Floats:
    """A Gaussian filter of a plane (y, x), or its derivative of these orders along y and x."""
    for axis, order in enumerate(orders):
        kernel = gaussian_kernel(sigma_px, order, int(np.ceil(TRUNCATE * sigma_px)))
        plane = np.asarray(correlate1d(plane, kernel, axis, mode="nearest"), dtype=np.float32)
    return plane


def gaussian_kernel(sigma: float, order: int, reach: int) -> NDArray[np.float32]:
    """Weights (2·reach + 1,) of a Gaussian, or of its first or second derivative.

    They answer to 1, x and x²/2 as they should however narrow or cut off the Gaussian is.
    """
    x = np.arange(-reach, reach + 1)
    kernel = np.exp(-((x / sigma) ** 2) / 2)
    kernel /= kernel.sum()
    if order == 1:
        kernel *= x
        kernel /= max(float(kernel @ x), 1e-12)
    if order == 2:
        kernel *= x**2 - float(kernel @ x**2)
        kernel /= max(float(kernel @ x**2) / 2, 1e-12)
    return kernel.astype(np.float32)


def _features_at(window: Floats, scale_slices: float, sigma_px: float) -> list[Floats]:
    """Ten features at one scale; derivatives count per σ, so that scales compare."""
    flat, slope, bend = (_along_z(window, scale_slices, order) for order in range(3))
    rate = np.float32(sigma_px)
    smooth = smoothed(flat, sigma_px)
    dz = smoothed(slope, sigma_px) * np.float32(scale_slices)
    dy, dx = smoothed(flat, sigma_px, (1, 0)) * rate, smoothed(flat, sigma_px, (0, 1)) * rate
    zz = smoothed(bend, sigma_px) * np.float32(scale_slices**2)
    yy, xx, yx = (smoothed(flat, sigma_px, orders) * rate**2 for orders in ((2, 0), (0, 2), (1, 1)))
    across = np.float32(scale_slices) * rate
    zy, zx = (smoothed(slope, sigma_px, orders) * across for orders in ((1, 0), (0, 1)))
    narrow = smoothed(_along_z(window, NARROWER * scale_slices, 0), NARROWER * sigma_px)
    products = (dz * dz, dy * dy, dx * dx, dz * dy, dz * dx, dy * dx)
    zz_, yy_, xx_, zy_, zx_, yx_ = (smoothed(one, TENSOR_SHARE * sigma_px) for one in products)
    tensor = eigenvalues_of_three((zz_, yy_, xx_, zy_, zx_, yx_))
    hessian = eigenvalues_of_three((zz, yy, xx, zy, zx, yx))
    magnitude = np.sqrt(dz * dz + dy * dy + dx * dx)
    return [smooth, zz + yy + xx, magnitude, narrow - smooth, *tensor, *hessian]


def _along_z(window: Floats, sigma: float, order: int) -> Floats:
    """The slices (n, y, x) summed with a Gaussian's kernel, or its derivative's, around the middle."""
    half = len(window) // 2
    near = min(half, int(np.ceil(TRUNCATE * sigma)))
    return np.tensordot(gaussian_kernel(sigma, order, near), window[half - near : half + near + 1], axes=1)


def _binned(window: Floats, step: int) -> Floats:
    """Means of blocks of ``step`` × ``step`` px."""
    count, height, width = window.shape
    blocks = window.reshape(count, height // step, step, width // step, step)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


def _refined(plane: Floats, step: int, shape: tuple[int, ...]) -> Floats:
    """The plane interpolated linearly between the centres of its blocks."""
    down, across = (
        axis_weights((np.arange(length) - (step - 1) / 2) / step, size)
        for length, size in zip(shape, plane.shape, strict=True)
    )
    return np.ascontiguousarray((across @ (down @ plane).T).T, dtype=np.float32)
