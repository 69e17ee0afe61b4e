"""Blocks of the growing volume for clients and previews; safe beside the thread that writes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from daemon.errors import WireError
from daemon.preview import LONGEST_PX, Cuts, block_centre
from daemon.volume_store import VolumeStore


class StoredVolume:
    """Reads the planes that are visible on disk; implements ``daemon.control.VolumeReader``.

    ``store`` is None until the first plane is final.
    """

    def __init__(self, store: VolumeStore | None = None) -> None:
        self.store = store

    def shape(self, level: int) -> tuple[int, int, int]:
        """(z, y, x) of a pyramid level in voxels.

        Raises
        ------
        WireError
            There is no such level.
        """
        store = self._opened()
        if not 0 <= level < store.levels:
            raise WireError(
                f"the volume has no level {level}",
                where="planes",
                remedy=f"Ask for a level from 0 to {store.levels - 1}.",
            )
        return store.shape(level)

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """The labels (count, height, width) of a block that lies inside."""
        region = (slice(first, first + count), slice(y, y + height), slice(x, x + width))
        return self._opened().block(level, region)

    def _opened(self) -> VolumeStore:
        if self.store is None:
            raise WireError("there is no volume yet", where="planes", remedy="Wait for the first plane.")
        return self.store


def middle_cuts(
    store: VolumeStore,
    voxel_nm: float,
    ahead: Mapping[str, NDArray[np.uint8]] | None = None,
    longest_px: int = LONGEST_PX,
) -> Cuts | None:
    """The newest face and two cuts through the middle of it; None while there is no plane.

    They come from the coarsest pyramid level that still fills a picture of ``longest_px``, and of that only
    every so many voxels where it is taller still, so that a preview of a tall volume costs no more than that
    of a young one. Planes ``ahead`` of the final ones, ``xz`` (z, x) and ``yz`` (z, y) at full resolution,
    continue the cuts.
    """
    levels = [level for level in range(store.levels) if store.shape(level)[0]]
    if not levels:
        return None
    level = max((one for one in levels if max(store.shape(one)) >= longest_px), default=0)
    z, y, x = store.shape(level)
    every = max(1, max(z, y, x) // longest_px)
    at = {"xy": z - 1, "xz": y // 2, "yz": x // 2}
    rows = slice(every // 2, max(z // every * every, every // 2), every)
    xy = store.block(level, (slice(z - 1, z), slice(0, y), slice(0, x)))[0]
    xz = store.block(level, (rows, slice(y // 2, y // 2 + 1), slice(0, x)))[:, 0]
    yz = store.block(level, (rows, slice(0, y), slice(x // 2, x // 2 + 1)))[:, :, 0]
    planes = {
        "xy": block_centre(xy, every),
        "xz": _fewer_columns(xz, every),
        "yz": _fewer_columns(yz, every),
    }
    final_rows = len(planes["xz"])
    if ahead:
        factor = every * 2**level
        for name, beyond in _beyond(store, final_rows * factor, factor, ahead).items():
            planes[name] = np.concatenate((planes[name], beyond))
    at = {name: index * 2**level for name, index in at.items()}
    return Cuts(planes, at, voxel_nm * every * 2**level, final_rows)


def _beyond(
    store: VolumeStore, first: int, factor: int, ahead: Mapping[str, NDArray[np.uint8]]
) -> dict[str, NDArray[np.uint8]]:
    """The final planes from ``first`` on and those ahead of them, every ``factor``-th voxel of them."""
    final, height, width = store.shape(0)
    row, column = height // 2, width // 2
    planes = slice(first, max(first, final))
    xz = store.block(0, (planes, slice(row, row + 1), slice(0, width)))[:, 0]
    yz = store.block(0, (planes, slice(0, height), slice(column, column + 1)))[:, :, 0]
    joined = {"xz": np.concatenate((xz, ahead["xz"])), "yz": np.concatenate((yz, ahead["yz"]))}
    return {name: _thinned(cut, factor) for name, cut in joined.items()}


def _thinned(cut: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Every ``factor``-th row and column, from the middle of a group; the last rows may be left out."""
    return _fewer_columns(cut[factor // 2 :: factor], factor)


def _fewer_columns(cut: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Every ``factor``-th column, from the middle of a group; the last group may be narrower."""
    width = cut.shape[1]
    return cut[:, np.minimum(np.arange(-(-width // factor)) * factor + factor // 2, width - 1)]
