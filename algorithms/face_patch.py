"""The middle of a face, small and registered: what consecutive faces are compared by.

A window of a few hundred pixels holds enough structure to tell faces apart, and the state of a run stays
small. Only the window is moved, not the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.translation import TAPS, translate

BINNING = 2
LARGEST_PX = 512  # of the image, before binning


def face_patch(
    image: NDArray[Any], shift: tuple[float, float], region: tuple[slice, slice]
) -> NDArray[np.float32]:
    """The middle of ``region`` (rows, columns of the reference frame) in ``image`` (h, w): (h', w') float32.

    ``shift`` (dy, dx) puts the image onto the reference frame; what it does not cover repeats its edge.
    """
    middle = [_middle(part, size) for part, size in zip(region, image.shape, strict=True)]
    whole = [round(part) for part in shift]
    picture = image
    for axis, (part, moved) in enumerate(zip(middle, whole, strict=True)):
        rows = np.arange(part.start - TAPS, part.stop + TAPS) - moved
        picture = np.take(picture, np.clip(rows, 0, image.shape[axis] - 1), axis=axis)
    rest = (shift[0] - whole[0], shift[1] - whole[1])
    inner = translate(picture.astype(np.float32), *rest)[TAPS:-TAPS, TAPS:-TAPS]
    height, width = inner.shape[0] // BINNING, inner.shape[1] // BINNING
    return inner.reshape(height, BINNING, width, BINNING).mean(axis=(1, 3), dtype=np.float32)


def _middle(part: slice, size: int) -> slice:
    """At most ``LARGEST_PX`` pixels in the middle of a slice, a multiple of the binning."""
    start, stop, _ = part.indices(size)
    length = min(stop - start, LARGEST_PX) // BINNING * BINNING
    first = start + (stop - start - length) // 2
    return slice(first, first + length)
