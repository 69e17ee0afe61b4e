"""A Zarr 3 array that gets longer along z while others read it: sharded, compressed, checked.

Planes are written first and the shape is enlarged after them, so a reader never sees a plane that is not
there. Many compressed pieces lie in one file (a shard), each of a single plane and in order: a shard that
grows is replaced by a longer one whose beginning is the same, byte for byte. So a reader that has looked up
a piece in the old file finds it in the new one at the same place, even if it opens the file anew for every
piece, as plain zarr does. Pieces of several planes would move (docs/decisions/sharding.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from daemon.errors import DiskFullError, StoreError
from daemon.space import means_no_space

Plane = np.uint8 | np.uint16

PIECE_PX: Final = 256
"""Side of a compressed piece: a screen tile."""

SHARD: Final = (64, 4, 4)
"""Planes, and pieces along y and x, in a file: 2000 planes of 4006 × 3391 voxels are 512 files, not 4·10⁵."""

_CAPACITY: Final = 2**24  # planes that a run can never reach


@dataclass(frozen=True, slots=True)
class GrowingArray:
    """A (z, y, x) array on disk that gets longer along z.

    ``visible`` has the shape that readers see; ``pieces`` writes beyond it without touching the metadata.
    """

    visible: Any
    pieces: Any
    path: Path

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) that a reader sees."""
        z, y, x = self.visible.resolve().result().shape
        return int(z), int(y), int(x)

    @property
    def length(self) -> int:
        """Planes that a reader sees."""
        return self.shape[0]

    def write(self, first: int, planes: NDArray[Plane]) -> None:
        """Write planes at ``first``, then make them visible.

        Raises
        ------
        StoreError
            The disk is full or gone.
        """
        end = first + len(planes)
        try:
            # One transaction replaces each shard once; without it every piece would rewrite its shard.
            with ts.Transaction() as whole:
                self.pieces.with_transaction(whole)[first:end].write(planes).result()
            if end > self.length:
                grown = [end, *planes.shape[1:]]
                self.visible.resize(exclusive_max=grown, resize_metadata_only=True, expand_only=True).result()
        except (ValueError, OSError) as error:
            raise unwritable(self.path, error) from error

    def read(self, first: int, end: int) -> NDArray[Any]:
        """Planes ``first`` to ``end`` (exclusive)."""
        return self.block((slice(first, end), slice(None), slice(None)))

    def block(self, region: tuple[slice, slice, slice]) -> NDArray[Any]:
        """A block (z, y, x) of what a reader sees."""
        return np.asarray(self.visible.resolve().result()[region].read().result())


def open_growing_array(path: Path, shape_yx: tuple[int, int], dtype: str = "uint8") -> GrowingArray:
    """Open the array at ``path``, or create it with no planes.

    Raises
    ------
    StoreError
        The folder cannot be written, or holds an array of another shape or type.
    """
    metadata = _metadata(shape_yx, dtype)
    store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    try:
        is_there = (path / "zarr.json").exists()
        visible = ts.open(
            store if is_there else {**store, "metadata": metadata}, create=not is_there
        ).result()
        beyond = {**metadata, "shape": [_CAPACITY, *shape_yx]}
        pieces = ts.open({**store, "metadata": beyond}, open=True, assume_metadata=True).result()
    except (ValueError, OSError) as error:
        raise unwritable(path, error) from error
    if tuple(visible.shape[1:]) != tuple(shape_yx) or visible.dtype.name != dtype:
        raise StoreError(
            f"the array has {visible.dtype.name} planes of {visible.shape[1:]}, "
            f"this run needs {dtype} {shape_yx}",
            where=str(path),
            remedy="Choose another run.output; this one belongs to another run.",
        )
    return GrowingArray(visible, pieces, path)


def forget_unfinished_writes(folder: Path) -> None:
    """Remove what a killed process left of files it was about to replace, anywhere below ``folder``.

    Tensorstore 0.1.86 writes the next such file over the old one without shortening it: where that was
    longer, its tail would stay behind the shard's index and the shard could not be read any more.

    Raises
    ------
    StoreError
        They cannot be removed.
    """
    try:
        for left in folder.rglob("*.__lock"):
            left.unlink()
    except OSError as error:
        raise unwritable(folder, error) from error


def _metadata(shape_yx: tuple[int, int], dtype: str) -> dict[str, Any]:
    """Zarr 3 core specification with the codec sharding_indexed 1.0."""
    piece = [1, *(min(PIECE_PX, side) for side in shape_yx)]
    most = [SHARD[0], *(-(-side // length) for side, length in zip(shape_yx, piece[1:], strict=True))]
    shard = [length * min(count, limit) for length, count, limit in zip(piece, most, SHARD, strict=True)]
    little_endian = {"name": "bytes", "configuration": {"endian": "little"}}
    sharding = {
        "chunk_shape": piece,
        "codecs": [little_endian, {"name": "zstd", "configuration": {"level": 3}}, {"name": "crc32c"}],
        "index_codecs": [little_endian, {"name": "crc32c"}],
        "index_location": "end",
    }
    return {
        "data_type": dtype,
        "shape": [0, *shape_yx],
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": ["z", "y", "x"],
        "fill_value": 0,
    }


def unwritable(path: Path, error: Exception) -> StoreError:
    """What to say when something cannot be written below the output folder."""
    kind = DiskFullError if means_no_space(error) else StoreError
    return kind(
        f"the output cannot be written: {error}",
        where=str(path),
        remedy="Check free space and rights of run.output, then start again: the run goes on where it was.",
    )
