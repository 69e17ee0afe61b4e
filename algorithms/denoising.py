"""Noise taken out of an image where it repeats itself: the mean of places that look alike.

A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising", CVPR 2005, in the fast form of
scikit-image (integral images). It blurs what does not repeat, so it is for looking and for classifiers that
were trained on images treated alike, never for registration or the ruler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate
from skimage.restoration import denoise_nl_means

Grey = NDArray[np.uint8 | np.uint16]
PATCH_PX = 5
REACH_PX = 6
STRENGTH = 0.8
"""Cut-off distance of patches, in standard deviations of the noise."""


def non_local_means(image: Grey) -> Grey:
    """The image (y, x) with its noise averaged away."""
    full_scale = float(np.iinfo(image.dtype).max)
    scaled = image.astype(np.float32) / np.float32(full_scale)
    sigma = noise_sigma(scaled)
    if sigma == 0:
        return image
    cleaned: Any = denoise_nl_means(
        scaled, patch_size=PATCH_PX, patch_distance=REACH_PX, h=STRENGTH * sigma, sigma=sigma
    )
    return np.clip(np.rint(cleaned * full_scale), 0, full_scale).astype(image.dtype)


def unchanged(image: Grey) -> Grey:
    """The image as it is."""
    return image


METHODS: Mapping[str, Callable[[Grey], Grey]] = {"none": unchanged, "non-local-means": non_local_means}
"""By the names that a configuration and a model's file give them."""


def noise_sigma(image: NDArray[np.float32]) -> float:
    """Standard deviation of white noise in an image (y, x), from its mixed second differences.

    After J. Immerkær, "Fast noise variance estimation", Comput. Vis. Image Underst. 64, 300 (1996), with the
    median instead of the mean, so that edges do not count.
    """
    mask = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]).astype(np.float32)
    differences: Any = correlate(image, mask, mode="nearest")
    return float(1.4826 * np.median(np.abs(differences)) / 6)
