"""What goes wrong between a face and its images, in patches to learn from: blur, curtains, misregistration.

All take and return images float32 (channel, slice, y, x) on the network's scale, and say by how much at most.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Images = NDArray[np.float32]
NARROWEST_PX, WIDEST_PX = 1.0, 12.0
"""Widths of curtains, as smoothing of white noise; the emulated microscope's are the widest."""


def misregistered(images: Images, most_px: float, rng: np.random.Generator) -> Images:
    """Each channel out of place by up to ``most_px`` along y and along x, all of its slices alike."""
    shifts = rng.uniform(-most_px, most_px, (len(images), 2))
    displaced = np.empty_like(images)
    for channel, shift, target in zip(images, shifts, displaced, strict=True):
        ndimage.shift(channel, (0, *shift), target, order=1, mode="nearest")
    return displaced


def blurred(images: Images, most_px: float, rng: np.random.Generator) -> Images:
    """Each channel out of focus: a Gaussian of up to ``most_px`` rms radius."""
    radii = rng.uniform(0, most_px, len(images))
    smooth = np.empty_like(images)
    for channel, radius, target in zip(images, radii, smooth, strict=True):
        ndimage.gaussian_filter(channel, (0, radius, radius), output=target, mode="nearest")
    return smooth


def curtained(images: Images, most: float, rng: np.random.Generator) -> Images:
    """Stripes along y, the way the mill's beam goes, of an rms of up to ``most``.

    Each face has its own, seen at every voltage, because they are in its relief.
    """
    slices, width = images.shape[1], images.shape[3]
    noise = rng.standard_normal((slices, width))
    smooth = ndimage.gaussian_filter1d(noise, rng.uniform(NARROWEST_PX, WIDEST_PX), axis=1, mode="wrap")
    smooth -= smooth.mean(axis=1, keepdims=True)
    stripes = smooth / np.sqrt((smooth**2).mean(axis=1, keepdims=True))
    return images + (rng.uniform(0, most) * stripes).astype(np.float32)[:, None, :]
