"""A part of a face as it travels from the daemon to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

FACE_FIELDS: Final = ("layer_shape", "origin_px", "pixel_nm", "step")


@dataclass(frozen=True, slots=True, eq=False)
class FaceBlock:
    """``pixels`` (y, x) uint8: a part of a layer, reduced by ``step``.

    ``layer_shape`` (y, x) is that of the whole layer and ``origin_px`` (y, x) where it begins in the frame;
    ``pixel_nm`` (y, x) is the size of an unreduced pixel on the face.
    """

    pixels: np.ndarray
    layer_shape: tuple[int, int]
    origin_px: tuple[int, int]
    pixel_nm: tuple[float, float]
    step: int
