"""The growing volume on disk: an OME-Zarr 0.5 image that any reader can open while it grows.

Pyramid levels are computed from the level below as soon as a pair of planes is complete, so they need
no state of their own: after a restart the same planes are written again with the same bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise, product
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from daemon.errors import StoreError
from daemon.growing_array import GrowingArray, open_growing_array, unwritable
from daemon.ome import Voxel, image_group

UNFINISHED: Final = ".unfinished"
"""Ends the name of a file that has not taken the place of another yet."""

_SMALLEST_LEVEL_PX: Final = 256
_MOST_LEVELS: Final = 6


class VolumeStore:
    """Labels on the isotropic grid with their pyramid; open one with ``open_volume``."""

    def __init__(self, levels: tuple[GrowingArray, ...], phases: int) -> None:
        self._levels = levels
        self._phases = phases

    @property
    def planes(self) -> int:
        """Final planes on disk."""
        return self._levels[0].length

    @property
    def levels(self) -> int:
        """Pyramid levels, full resolution included."""
        return len(self._levels)

    def append(self, first: int, labels: NDArray[np.uint8]) -> None:
        """Write final planes (z, y, x) at ``first`` and every pyramid plane that they complete."""
        self._levels[0].write(first, labels)
        start, end = first, first + len(labels)
        for below, level in pairwise(self._levels):
            start, end = start // 2, end // 2
            if start < end:
                level.write(start, halved(below.read(2 * start, 2 * end), self._phases))

    def close(self) -> None:
        """Complete the pyramid's last, half-filled planes."""
        for below, level in pairwise(self._levels):
            start = level.length
            if 2 * start < below.length:
                level.write(start, halved(below.read(2 * start, below.length), self._phases))

    def shape(self, level: int) -> tuple[int, int, int]:
        """(z, y, x) of a pyramid level, as a reader sees it now."""
        return self._levels[level].shape

    def read(self, level: int, first: int, end: int) -> NDArray[np.uint8]:
        """Planes of a pyramid level."""
        return self._levels[level].read(first, end)

    def block(self, level: int, region: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        """A block (z, y, x) of a pyramid level."""
        return self._levels[level].block(region)


def open_volume(
    path: Path, shape_yx: tuple[int, int], grid_nm: float, phases: int, provenance: Mapping[str, Any]
) -> VolumeStore:
    """Open the volume of a run, or create it, with its OME-NGFF 0.5 metadata.

    Raises
    ------
    StoreError
        The folder cannot be written or belongs to another run.
    """
    store = reopen_volume(path, shape_yx, phases)
    group = image_group("phases", _voxels(level_count(shape_yx), grid_nm), provenance, "majority")
    write_atomically(path / "zarr.json", json.dumps(group, indent=2))
    return store


def reopen_volume(path: Path, shape_yx: tuple[int, int], phases: int) -> VolumeStore:
    """The arrays of a volume; its group metadata stays as it is.

    Raises
    ------
    StoreError
        The folder cannot be written or belongs to another run.
    """
    shapes = [[-(-side // 2**level) for side in shape_yx] for level in range(level_count(shape_yx))]
    levels = (
        open_growing_array(path / str(level), (height, width)) for level, (height, width) in enumerate(shapes)
    )
    return VolumeStore(tuple(levels), phases)


def _voxels(levels: int, grid_nm: float) -> list[Voxel]:
    """Size of each level's voxels and the centre of their first, which lies between those it was made of."""
    return [Voxel((grid_nm * 2**level,) * 3, grid_nm * (2**level - 1) / 2) for level in range(levels)]


def level_count(shape_yx: tuple[int, int]) -> int:
    """Pyramid levels until a plane fits a screen tile."""
    count = 1
    while count < _MOST_LEVELS and max(shape_yx) / 2 ** (count - 1) > _SMALLEST_LEVEL_PX:
        count += 1
    return count


def halved(planes: NDArray[np.uint8], phases: int) -> NDArray[np.uint8]:
    """Halve all three axes of labels by majority of each 2×2×2 block; a tie goes to the higher phase.

    Odd ends are repeated, so that every label counts.
    """
    padded = np.pad(planes, [(0, side % 2) for side in planes.shape], mode="edge")
    corners = [padded[dz::2, dy::2, dx::2] for dz, dy, dx in product((0, 1), repeat=3)]
    winner = np.zeros(corners[0].shape, np.uint8)
    most = np.zeros(corners[0].shape, np.uint8)
    for phase in range(phases):
        # Eight strided views add up ten times as fast as one sum over the axes of a block.
        votes = reduce(np.add, [(corner == phase).view(np.uint8) for corner in corners])
        winner = np.where(votes >= most, np.uint8(phase), winner)
        most = np.maximum(votes, most)
    return winner


def make_folder(
    folder: Path, what: str = "the folder", remedy: str = "Choose a folder that this user may write to."
) -> None:
    """Make a folder and those above it, as far as they are not there.

    Raises
    ------
    StoreError
        It cannot be made; ``what`` it would be, and the ``remedy``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{what} cannot be made: {error.strerror or error}", where=str(folder), remedy=remedy
        ) from error


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file by its new content, whole or not at all, durably.

    Raises
    ------
    StoreError
        The disk is full or read-only.
    """
    replace_file(path, text.encode("utf-8"))


def forget_unfinished_files(folder: Path) -> None:
    """Remove what a killed process left of files that were to take the place of others below ``folder``.

    Raises
    ------
    StoreError
        They cannot be removed.
    """
    try:
        for left in folder.rglob(f".*{UNFINISHED}"):
            left.unlink()
    except OSError as error:
        raise unwritable(folder, error) from error


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file by its new content, whole or not at all, durably.

    Raises
    ------
    StoreError
        The disk is full or read-only.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A file to write to that takes the place of ``path`` at the end, whole or not at all, durably.

    Raises
    ------
    StoreError
        The disk is full or read-only.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error
