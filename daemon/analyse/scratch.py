"""Volumes that a computation needs on its way: in memory where they are small, else in files that are
removed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.slabs import Shape, WritableVolume
from daemon.errors import StoreError

PARTS: Final = 8
"""A volume stays in memory if eight like it fit there."""


@dataclass(frozen=True, slots=True)
class FileVolume:
    """Voxels in a file; mapped only while a region is copied, so that they never count as memory in use."""

    path: Path
    dtype: Any
    shape: Shape

    def __getitem__(self, region: Any, /) -> NDArray[Any]:
        """A copy of a region."""
        return np.array(np.memmap(self.path, self.dtype, "r", shape=self.shape)[region])

    def __setitem__(self, region: Any, values: Any, /) -> None:
        """Write a region."""
        np.memmap(self.path, self.dtype, "r+", shape=self.shape)[region] = values


@dataclass(slots=True)
class Scratch:
    """Where such volumes of one shape are made, all 0; ``memory_bytes`` is what a computation may hold."""

    folder: Path
    shape: Shape
    memory_bytes: int
    made: int = 0

    def volume(self, dtype: Any) -> WritableVolume:
        """A new volume of 0.

        Raises
        ------
        StoreError
            The disk has no room for it.
        """
        size = int(np.prod(self.shape)) * np.dtype(dtype).itemsize
        if size * PARTS <= self.memory_bytes:
            return np.zeros(self.shape, dtype=dtype)
        self.made += 1
        path = self.folder / f"{self.made}.raw"
        try:
            _reserve(path, size)
        except OSError as error:
            raise StoreError(
                f"there is no room for {size / 2**30:.1f} GiB of scratch: {error.strerror or error}",
                where=str(self.folder),
                remedy="Choose another disk with --scratch, or a coarser --level.",
            ) from error
        return FileVolume(path, np.dtype(dtype), self.shape)


@contextmanager
def scratch_in(folder: Path, shape: Shape, memory_bytes: int) -> Generator[Scratch]:
    """Scratch in a new folder inside ``folder``, removed at the end.

    Raises
    ------
    StoreError
        The folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = tempfile.TemporaryDirectory(prefix="scratch-", dir=folder)
    except OSError as error:
        raise StoreError(
            f"no scratch can be made: {error.strerror or error}",
            where=str(folder),
            remedy="Choose a folder that this user may write to, with --scratch.",
        ) from error
    with inside as name:
        yield Scratch(Path(name), shape, memory_bytes)


def _reserve(path: Path, size: int) -> None:
    """Take the room at once: a mapped file that finds the disk full later ends the process."""
    with path.open("wb") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
