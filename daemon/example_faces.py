"""Faces that a report shows: the first, and ever rarer ones after it, small, whatever the run's length.

They are kept while their images are in memory: a report is written when the share may be gone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from daemon.items import Image
from daemon.preview import block_centre, block_mean
from daemon.volume_store import replace_file

_LONGEST_PX: Final = 1024
_FIRST_MILESTONE: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class ExampleFace:
    """A face of slice ``index``: ``images`` by channel and ``labels``, (y, x) of one shape, reduced alike."""

    index: int
    images: Mapping[str, NDArray[Any]]
    labels: NDArray[np.uint8]


def is_kept(order: int) -> bool:
    """Whether the ``order``-th final face is an example: the first, the fifth, the ninth, the 17th, …"""
    return order == 0 or (order >= _FIRST_MILESTONE and order & (order - 1) == 0)


def keep_example(folder: Path, index: int, images: Mapping[str, Image], labels: NDArray[np.uint8]) -> None:
    """Write an example; written again it is the same, byte for byte.

    Raises
    ------
    StoreError
        The disk is full or gone.
    """
    step = max(1, -(-max(labels.shape) // _LONGEST_PX))
    buffer = io.BytesIO()
    small = {
        f"image/{name}": np.rint(block_mean(image, step)).astype(image.dtype)
        for name, image in images.items()
    }
    np.savez_compressed(buffer, allow_pickle=False, **{**small, "labels": block_centre(labels, step)})
    replace_file(folder / f"face-{index:06d}.npz", buffer.getvalue())


def read_examples(folder: Path) -> list[ExampleFace]:
    """All examples in the order of their slices."""
    return [_read(path) for path in sorted(folder.glob("face-*.npz"))]


def _read(path: Path) -> ExampleFace:
    with np.load(path, allow_pickle=False) as file:
        images = {name.removeprefix("image/"): file[name] for name in file.files if name.startswith("image/")}
        return ExampleFace(int(path.stem.removeprefix("face-")), images, file["labels"])
