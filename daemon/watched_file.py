"""What is known of one file of the acquisition folder, and whether two looks saw the same version of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Version = tuple[int, int, int]
"""Size, mtime (ns) and inode."""
GONE: Final[Version] = (-1, -1, -1)
"""No file has this version: whatever appears in the place of a vanished file is new."""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that is not complete, what it lacks, and since when (monotonic clock)."""

    path: Path
    size: int
    mtime_ns: int
    since_s: float
    reason: str


@dataclass(slots=True)
class Watched:
    """The newest version of a file; ``turn`` is the look of a round that asks it again once ``reported``.

    ``unproven``: when it was judged last, its image ended in zeros.
    """

    slice_number: int
    version: Version
    since_s: float
    turn: int
    judged_s: float = float("-inf")
    reason: str = "just found"
    unproven: bool = False
    reported: bool = False


def version_of(status: os.stat_result) -> Version:
    """The version that a file has now."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def is_same(known: Version, now: Version) -> bool:
    """Inode -1 stands for a version known from a journal: inodes change when a share is mounted again."""
    return known == now or (known[2] == -1 and known[:2] == now[:2])
