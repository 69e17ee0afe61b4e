"""Room on the output disk: whether an error means that there is none, how much there is, and for how long."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOM_BYTES: Final = 16 * 2**20
"""Free space below which nothing is tried again: a few slices with their journal."""
_NOTHING_BYTES: Final = 2**20
"""Below this even SQLite's shared memory cannot be made, and errors no longer name their cause."""
_FEWEST_SLICES: Final = 5
"""Slices before their consumption is believed."""
_SLICES_AHEAD: Final = 200
"""How far to look ahead in a run of unknown length: more than a day at ten minutes a slice."""
_MARGIN: Final = 1.2


def means_no_space(error: BaseException) -> bool:
    """Whether an error of a file, of SQLite or of tensorstore says that the disk or the quota is used up."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return True
    return "No space left" in str(error) or "Disk quota exceeded" in str(error)


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write below ``folder``."""
    return shutil.disk_usage(folder).free


def is_used_up(folder: Path) -> bool:
    """Whether there is so little room that any write may fail."""
    return free_bytes(folder) < _NOTHING_BYTES


def has_room(folder: Path) -> bool:
    """Whether it makes sense to try again."""
    return free_bytes(folder) >= ROOM_BYTES


@dataclass(frozen=True, slots=True)
class Consumption:
    """What the disk had free when the daemon started, after ``slices``: others may write to it too."""

    free_bytes: int
    slices: int

    def lasts_for(self, free_bytes: int, slices: int) -> float:
        """For how many more slices the room lasts at this rate; infinite while nothing is known."""
        done, used = slices - self.slices, self.free_bytes - free_bytes
        if done < _FEWEST_SLICES or used <= 0:
            return float("inf")
        return free_bytes * done / used


def is_too_little(lasts_for: float, slices_left: int) -> bool:
    """Whether the room will not do for ``slices_left`` more slices; 0: their number is not known."""
    return lasts_for < _MARGIN * (slices_left or _SLICES_AHEAD)
