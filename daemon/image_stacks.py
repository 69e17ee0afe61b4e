"""Stacks of images on disk as a person may have them: a Zarr array, one TIFF file, or a folder of TIFF files.

Slices are numbered. Those of a finished run by its table, those of a folder by the last number in a file's
name, the pages of one file from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from daemon.errors import ConfigurationError
from daemon.items import Status
from daemon.outputs import Outputs
from daemon.tables import read_table

Image = NDArray[Any]
TIFF_NAMES: Final = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class ImageStack:
    """Images (y, x) of numbered slices, read when they are asked for.

    Attributes
    ----------
    where
        For messages.
    images
        Number of a slice, and what reads it.
    """

    where: str
    images: Mapping[int, Callable[[], Image]]

    @property
    def numbers(self) -> list[int]:
        """Of all slices, rising."""
        return sorted(self.images)

    def read(self, number: int) -> Image:
        """The image of a slice.

        Raises
        ------
        ConfigurationError
            There is no such slice, or its file cannot be read.
        """
        if number not in self.images:
            raise ConfigurationError(
                f"there is no slice {number}",
                where=self.where,
                remedy=f"Its slices are {self.numbers[0]} to {self.numbers[-1]}; labels are numbered alike.",
            )
        return self.images[number]()


def channel_stack(folder: Path, channel: str) -> ImageStack:
    """The stack of a channel in a folder: ``registered-CHANNEL.ome.zarr`` of a finished run,
    ``CHANNEL.tif``, or the folder ``CHANNEL``.

    Raises
    ------
    ConfigurationError
        There is none, or it cannot be read.
    """
    registered = Outputs(folder).registered(channel)
    if registered.is_dir():
        return array_stack(registered, run_slices(folder))
    for suffix in TIFF_NAMES:
        if (folder / f"{channel}{suffix}").is_file():
            return page_stack(folder / f"{channel}{suffix}")
    if (folder / channel).is_dir():
        return file_stack(folder / channel)
    raise ConfigurationError(
        f"the channel {channel!r} is missing",
        where=str(folder),
        remedy=f"Needed is one of {registered.name} (a run with volume.store_images = true), {channel}.tif "
        f"(a page a slice) and {channel}/ (a file a slice); annotated.channels names others.",
    )


def run_slices(output: Path) -> list[int]:
    """Numbers of the slices that a run has images of, in the order of its arrays."""
    rows = read_table(Outputs(output).slices)
    return [int(row["slice"]) for row in rows if row["status"] == Status.FINAL]


def array_stack(path: Path, numbers: Iterable[int]) -> ImageStack:
    """Planes of a Zarr array, or of the first level of an OME-Zarr image, that have the numbers given.

    Raises
    ------
    ConfigurationError
        It is no such array, or has another number of planes.
    """
    level = path / "0" if (path / "0").is_dir() else path
    try:
        array: Any = zarr.open_array(str(level), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error
    ordered = list(numbers)
    if array.ndim != 3 or array.shape[0] != len(ordered):
        raise ConfigurationError(
            f"the array is {array.shape}, but there are {len(ordered)} slices",
            where=str(path),
            remedy="Give an array (slice, y, x) with a plane for each slice of the images.",
        )
    return ImageStack(str(path), {number: _plane(path, array, place) for place, number in enumerate(ordered)})


def page_stack(path: Path) -> ImageStack:
    """Pages of one TIFF file.

    Raises
    ------
    ConfigurationError
        It cannot be read.
    """
    try:
        with tifffile.TiffFile(path) as file:
            pages = len(file.pages)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return ImageStack(str(path), {page + 1: _page(path, page) for page in range(pages)})


def file_stack(folder: Path) -> ImageStack:
    """TIFF files of a folder, each with a number of its own as the last one in its name.

    Raises
    ------
    ConfigurationError
        There are none, or the numbers are missing or repeat.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in TIFF_NAMES)
    images: dict[int, Callable[[], Image]] = {}
    for path in files:
        digits = re.findall(r"\d+", path.stem)
        if not digits or int(digits[-1]) in images:
            raise ConfigurationError(
                "the name has no number" if not digits else f"slice {int(digits[-1])} is there twice",
                where=str(path),
                remedy="The last number in a file's name is that of its slice.",
            )
        images[int(digits[-1])] = _page(path, 0)
    if not images:
        raise ConfigurationError(
            "there is no TIFF file", where=str(folder), remedy="Put a .tif file for each slice there."
        )
    return ImageStack(str(folder), images)


def _plane(path: Path, array: Any, place: int) -> Callable[[], Image]:
    return _decoded(path, lambda: array[place])


def _page(path: Path, page: int) -> Callable[[], Image]:
    return _decoded(path, lambda: tifffile.imread(path, key=page))


def _decoded(path: Path, decode: Callable[[], Any]) -> Callable[[], Image]:
    def read() -> Image:
        try:
            return np.asarray(decode())
        except Exception as error:
            # A foreign decoder on damaged bytes may raise anything, codecs of six libraries among it.
            raise _unreadable(path, error) from error

    return read


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the images cannot be read: {error or type(error).__name__}",
        where=str(path),
        remedy="Give TIFF files or a Zarr array that other programs open.",
    )
