"""Which files lie below the acquisition folder, and which of its sub-folders cannot be looked into now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SKIPPED_FOLDERS: Final = frozenset({"logimages"})


@dataclass(frozen=True, slots=True)
class Listing:
    """Plain files, sorted within each folder; ``closed`` are sub-folders that cannot be listed, and why."""

    paths: list[str]
    closed: dict[str, str]

    @property
    def trouble(self) -> str:
        """What to say of the sub-folders that cannot be listed; empty without any."""
        return "; ".join(
            f"the sub-folder {os.path.basename(p)} cannot be listed: {why}" for p, why in self.closed.items()
        )

    def hides(self, path: str) -> bool:
        """Whether a file lies in a sub-folder that cannot be listed, so that nobody knows if it is there."""
        return any(path.startswith(closed + os.sep) for closed in self.closed)


def listed(folder: Path) -> Listing:
    """All plain files below ``folder``.

    Symbolic links are not followed: they could lead out of the project, or in circles. A sub-folder that
    vanishes while it is listed is gone with all its files; any other error leaves open what is in it.

    Raises
    ------
    OSError
        The folder itself cannot be listed.
    """
    paths, closed = list[str](), dict[str, str]()
    pending = [str(folder)]
    while pending:
        current = pending.pop()
        try:
            files, folders = _entries(current)
        except OSError as error:
            if current == str(folder):
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                closed[printable(current)] = error.strerror or str(error)
            continue
        paths += files
        pending += folders
    return Listing(paths, closed)


def printable(path: str) -> str:
    """The path itself if it is UTF-8; else with each foreign byte written as ``\\xNN``: it can be recorded.

    Only a path that comes out unchanged may be opened by it.
    """
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """Paths of the plain files and of the folders to look into."""
    with os.scandir(folder) as entries:
        plain = [e for e in sorted(entries, key=lambda entry: entry.name) if not e.is_symlink()]
        files = [entry.path for entry in plain if entry.is_file()]
        return files, [entry.path for entry in plain if entry.is_dir() and not _skipped(entry.name)]


def _skipped(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SKIPPED_FOLDERS
