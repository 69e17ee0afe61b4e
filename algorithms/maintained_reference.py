"""A reference that follows a slowly changing mark without walking away from it.

The picture is a running mean of registered images: of all of them at first, of the last `MEMORY` later, so
that erosion, redeposition and charging of the mark fade in. A running mean alone would walk: each image
enters with its own registration error. So the first `ANCHOR_IMAGES` also make an anchor that is never
touched again, and after every update the picture is registered onto the anchor; that shift is added to every
result. Only when the anchor is no longer recognised does the picture become the new anchor.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from algorithms.patch_fit import Reference
from algorithms.registration import ShiftEstimate, estimate_shift, reference_of
from algorithms.residual_noise import noise_variance
from algorithms.spline_sampling import crop
from algorithms.translation import translate

MEMORY = 32
"""Images; at 10 nm a slice the mark may change within 0.3 µm of milling."""
ANCHOR_IMAGES = 8
ANCHOR_SEARCH_PX = 4
RECOGNISED = 0.5
"""Quality of a fit onto the anchor that keeps the anchor in use."""
UPDATE_QUALITY = 0.5
"""Fits below this do not enter the reference."""
BORDER_PX = 8
"""Of the stored picture around the region, so that alignment never pulls in a mirrored edge."""

STRUCTURE_PX = 2.0
STRUCTURE = 4.0
"""Variance of a picture smoothed by so many px, over that of noise alone, from which it shows something."""


@dataclass(frozen=True, slots=True, eq=False)
class MaintainedReference:
    """What one region looks like in one channel, on the pixel grid of the frame."""

    picture: NDArray[np.float32] = field(repr=False)
    """(h, w)"""
    noise_variance: float
    image_noise: float
    """Noise variance of one image."""
    images: int
    anchor: NDArray[np.float32] = field(repr=False)
    """(h, w)"""
    anchor_noise: float
    correction_px: tuple[float, float]
    """To be added to a shift against `picture` to get the shift against the anchor."""


def start_reference(picture: NDArray[np.float32]) -> MaintainedReference:
    """The reference made of a first `picture` (h, w), aligned to the frame."""
    noise = noise_variance(picture)
    return MaintainedReference(picture, noise, noise, 1, picture, noise, (0.0, 0.0))


def has_structure(picture: NDArray[np.float32]) -> bool:
    """Whether a picture (h, w) shows anything but noise: smoothed, it varies more than its noise would."""
    smooth = ndimage.gaussian_filter(picture, STRUCTURE_PX)
    left = noise_variance(picture) / (4.0 * np.pi * STRUCTURE_PX**2)
    return float(smooth.var()) > STRUCTURE * left + 1e-6


def aligned(
    image: NDArray[Any], origin: tuple[int, int], shape: tuple[int, int], shift: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Region of `image` moved by `shift` onto the frame's pixels, and its validity, (h, w) each."""
    whole = (round(shift[0]), round(shift[1]))
    size = (shape[0] + 2 * BORDER_PX, shape[1] + 2 * BORDER_PX)
    corner = (origin[0] - whole[0] - BORDER_PX, origin[1] - whole[1] - BORDER_PX)
    values, valid = crop(image, corner, size)
    moved = translate(values.astype(np.float32), shift[0] - whole[0], shift[1] - whole[1])
    inner = (slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    return moved[inner], valid.astype(np.float32)[inner]


def as_reference(reference: MaintainedReference) -> Reference:
    return reference_of(reference.picture, reference.noise_variance, reference.image_noise)


def _onto_anchor(reference: MaintainedReference) -> MaintainedReference:
    """`reference` with its correction renewed, or with a new anchor where the old one is not recognised."""
    anchor = reference_of(reference.anchor, reference.anchor_noise, reference.noise_variance)
    found = estimate_shift(anchor, reference.picture, (0, 0), search_px=ANCHOR_SEARCH_PX)
    if found.quality >= RECOGNISED:
        return replace(reference, correction_px=(found.dy_px, found.dx_px))
    return replace(reference, anchor=reference.picture, anchor_noise=reference.noise_variance)


def updated_reference(
    reference: MaintainedReference, estimate: ShiftEstimate, image: NDArray[Any], origin: tuple[int, int]
) -> MaintainedReference:
    """`reference` after a registered `image`; unchanged if the fit was not good enough to learn from.

    `estimate` is the fit of `image` against this reference, `origin` the region's first pixel.
    """
    if estimate.quality < UPDATE_QUALITY:
        return reference
    shape = (reference.picture.shape[0], reference.picture.shape[1])
    picture, valid = aligned(image, origin, shape, (estimate.dy_px, estimate.dx_px))
    rate = 1.0 / min(reference.images + 1, MEMORY)
    mixing = np.float32(rate) * valid
    picture = (picture - np.float32(estimate.offset)) / np.float32(estimate.gain)
    noise = (1 - rate) ** 2 * reference.noise_variance + rate**2 * estimate.noise_variance / estimate.gain**2
    new = replace(
        reference,
        picture=reference.picture + mixing * (picture - reference.picture),
        noise_variance=noise,
        image_noise=estimate.noise_variance / estimate.gain**2,
        images=reference.images + 1,
    )
    if new.images <= ANCHOR_IMAGES:
        return replace(new, anchor=new.picture, anchor_noise=new.noise_variance)
    return _onto_anchor(new)
