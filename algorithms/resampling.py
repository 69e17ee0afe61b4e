"""Brings a segmented face from the microscope's pixels onto the isotropic in-plane grid.

A native pixel is ``pixel_y_nm`` x ``pixel_x_nm``; the two differ when the face was imaged under a tilt
without tilt correction (a row then covers ``pixel_size / sin(tilt)`` on the face). Registration's sub-pixel
shift is applied in the same step, so that a face is interpolated once and not twice. Sample k of the grid
lies at ``origin_nm + k * grid_nm`` and native pixel i at ``(i + shift) * pixel_nm``.

A voxel is what is at its centre, on a coarse grid too, as a slice is the plane at its depth and not a mean
over its thickness. Averaging over the pixels that a coarse voxel stands for, and only along x and y, loses
the thin ligaments to the phase around them and makes an isotropic structure look anisotropic
(docs/decisions/repositioning.md).
"""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class InPlaneGrid:
    """An isotropic grid on the face: ``height`` x ``width`` samples, ``grid_nm`` apart, from an origin in
    nm.
    """

    height: int
    width: int
    grid_nm: float
    origin_y_nm: float = 0.0
    origin_x_nm: float = 0.0


@dataclass(frozen=True, slots=True)
class NativePixels:
    """Size of a native pixel on the face in nm, and the shift (dy, dx) in px of this face's registration."""

    pixel_y_nm: float
    pixel_x_nm: float
    shift_y_px: float = 0.0
    shift_x_px: float = 0.0


def covering_grid(height_px: int, width_px: int, pixels: NativePixels, grid_nm: float) -> InPlaneGrid:
    """The grid that spans the centres of ``height_px`` x ``width_px`` unshifted native pixels from pixel
    (0, 0).

    Raises ValueError where a length is not positive.
    """
    if min(height_px, width_px) < 1 or min(pixels.pixel_y_nm, pixels.pixel_x_nm, grid_nm) <= 0.0:
        raise ValueError(
            f"resampling: a face of {height_px} x {width_px} px, each {pixels.pixel_y_nm} x "
            f"{pixels.pixel_x_nm} nm, on a {grid_nm} nm grid; all must be positive"
        )
    return InPlaneGrid(
        height=floor((height_px - 1) * pixels.pixel_y_nm / grid_nm + 1e-9) + 1,
        width=floor((width_px - 1) * pixels.pixel_x_nm / grid_nm + 1e-9) + 1,
        grid_nm=grid_nm,
    )


def axis_weights(samples_px: NDArray[np.float64], length: int) -> sparse.csr_array:
    """Linear interpolation at real coordinates as a sparse ``(samples, length)`` matrix whose rows sum to 1.

    Beyond the first and last pixel the edge value continues.
    """
    upper = np.floor(samples_px).astype(np.int64)
    beyond = (samples_px - upper).astype(np.float32)
    columns = np.clip(np.stack((upper, upper + 1), axis=1), 0, length - 1).ravel()
    weights = np.stack((1.0 - beyond, beyond), axis=1).ravel()
    rows = np.repeat(np.arange(samples_px.size), 2)
    return sparse.csr_array((weights, (rows, columns)), shape=(samples_px.size, length))


def _axis(
    count: int, origin_nm: float, grid_nm: float, pixel_nm: float, shift_px: float, length: int
) -> sparse.csr_array:
    steps = np.arange(count, dtype=np.float64)
    return axis_weights((origin_nm + steps * grid_nm) / pixel_nm - shift_px, length)


def resample_probabilities(probabilities: Floats, pixels: NativePixels, grid: InPlaneGrid) -> Floats:
    """Class probabilities ``(classes, y, x)`` float32 in native px onto the grid; still sum to 1 over
    classes.
    """
    _, height, width = probabilities.shape
    down = _axis(grid.height, grid.origin_y_nm, grid.grid_nm, pixels.pixel_y_nm, pixels.shift_y_px, height)
    across = _axis(grid.width, grid.origin_x_nm, grid.grid_nm, pixels.pixel_x_nm, pixels.shift_x_px, width)
    planes = [(across @ (down @ plane).T).T for plane in probabilities]
    return np.ascontiguousarray(np.stack(planes), dtype=np.float32)


def most_probable(probabilities: Floats) -> Labels:
    """Labels ``(y, x)`` uint8 from probabilities ``(classes, y, x)``; ties go to the lower phase."""
    return np.argmax(probabilities, axis=0).astype(np.uint8)


def resample_labels(labels: Labels, pixels: NativePixels, grid: InPlaneGrid) -> Labels:
    """Labels ``(y, x)`` uint8 onto the grid: every phase's indicator is interpolated, the largest wins."""
    phases = np.arange(max(int(labels.max(initial=0)), 1) + 1, dtype=np.uint8)
    indicators = (labels[None] == phases[:, None, None]).astype(np.float32)
    return most_probable(resample_probabilities(indicators, pixels, grid))
