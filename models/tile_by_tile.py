"""Runs a network that makes images of images on one of any size, tile by tile, without seams."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models import tiling

Images = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cut:
    """Tiles of at most ``largest_tile_px``, sides multiples of ``stride_px``, for a network that sees
    ``reach_px`` far."""

    largest_tile_px: int
    reach_px: int
    stride_px: int


def made_tile_by_tile(run: Callable[[Images], Images], image: Images, outputs: int, cut: Cut) -> Images:
    """What a network makes of an image (channel, y, x): float32 (outputs, y, x).

    The result does not depend on how the image is cut. Sides are rounded up to the stride, and to two strides
    at least (the file's sides are free from there on), by repeating the last row and column.

    Args:
        run: the network: (batch, channel, y, x) to (batch, outputs, y, x).
        image: of any size.
        outputs: channels of what is made.
        cut: of the network.
    """
    height, width = image.shape[-2:]
    sides = [max(tiling.padded_length(side, cut.stride_px), 2 * cut.stride_px) for side in image.shape[-2:]]
    missing = [(0, sides[0] - height), (0, sides[1] - width)]
    padded = np.pad(image, ((0, 0), *missing), mode="edge")
    made = np.empty((outputs, *sides), dtype=np.float32)
    spans = (tiling.spans(side, cut.largest_tile_px, cut.reach_px, cut.stride_px) for side in sides)
    for rows, columns in product(*spans):
        tile = np.ascontiguousarray(padded[None, :, rows.covered, columns.covered])
        made[:, rows.kept, columns.kept] = run(tile)[0, :, rows.kept_inside, columns.kept_inside]
    return made[:, :height, :width]
