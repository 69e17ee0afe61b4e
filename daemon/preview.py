"""Small pictures for the monitor: what a preview message carries, made from full-size arrays.

Pictures are reduced by whole factors, so that a scale bar stays exact: grey values by the mean of a block
(noise falls as a viewer's eye would average it), labels by the one at the block's centre
(a mean of labels is no label).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.items import Image, Status
from daemon.messages import PreviewMessage

LONGEST_PX = 768


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The latest slice in the reference frame, all arrays (y, x) of one shape; ``pixel_nm`` is (y, x).

    ``labels`` and ``solid_probability`` may be absent while the slice is not segmented.
    """

    index: int
    status: Status
    images: Mapping[str, Image]
    pixel_nm: tuple[float, float]
    labels: NDArray[np.uint8] | None = None
    solid_probability: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Label planes through the volume: ``xy`` (y, x), ``xz`` (z, x), ``yz`` (z, y), at planes ``at``.

    The first ``final_rows`` rows of ``xz`` and ``yz`` are final, those below them provisional.
    """

    planes: Mapping[str, NDArray[np.uint8]]
    at: Mapping[str, int]
    voxel_nm: float
    final_rows: int


def preview_message(face: Face, cuts: Cuts | None, longest_px: int = LONGEST_PX) -> PreviewMessage:
    """The preview of a slice and of the volume so far, no picture longer than ``longest_px``."""
    step = _step(next(iter(face.images.values())).shape, longest_px)
    arrays = _face_pictures(face, step)
    cut_step = 1
    if cuts is not None:
        cut_step = max(_step(plane.shape, longest_px) for plane in cuts.planes.values())
        arrays |= {f"cut/{name}": block_centre(plane, cut_step) for name, plane in cuts.planes.items()}
    return PreviewMessage(
        index=face.index,
        status=face.status,
        image_pixel_nm=(face.pixel_nm[0] * step, face.pixel_nm[1] * step),
        cut_pixel_nm=cuts.voxel_nm * cut_step if cuts else math.nan,
        cut_at=dict(cuts.at) if cuts else {},
        cut_final_rows=cuts.final_rows // cut_step if cuts else 0,
        arrays=arrays,
    )


def block_mean(image: NDArray[np.generic], step: int) -> NDArray[np.float32]:
    """Means of ``step`` × ``step`` blocks; an incomplete block at the far edges is left out."""
    height, width = (n // step for n in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32), dtype=np.float32)


def block_centre(labels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """The label at the centre of each ``step`` × ``step`` block; incomplete blocks are left out."""
    height, width = (n // step for n in labels.shape)
    return np.ascontiguousarray(labels[step // 2 :: step, step // 2 :: step][:height, :width])


def _face_pictures(face: Face, step: int) -> dict[str, NDArray[np.uint8]]:
    pictures = {f"image/{name}": grey_block(image, step) for name, image in face.images.items()}
    if face.labels is not None:
        pictures["labels"] = block_centre(face.labels, step)
    if face.solid_probability is not None:
        pictures["solid"] = _to_uint8(block_mean(face.solid_probability, step), 0.0, 1.0)
    return pictures


def grey_block(image: Image, step: int) -> NDArray[np.uint8]:
    """Eight bits for a screen: as they are, or stretched where a detector wrote sixteen."""
    reduced = block_mean(image, step)
    if image.dtype == np.uint8:
        return _to_uint8(reduced, 0.0, 255.0)
    low, high = np.percentile(reduced, (0.5, 99.5))
    return _to_uint8(reduced, float(low), float(high))


def _to_uint8(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    scale = 255.0 / max(high - low, 1e-6)
    return np.rint(np.clip((values - low) * scale, 0.0, 255.0)).astype(np.uint8)


def _step(shape: tuple[int, ...], longest_px: int) -> int:
    return max(1, math.ceil(max(shape) / longest_px))
