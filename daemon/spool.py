"""Copies of the images that a restart would have to read again: the microscope may overwrite its own files.

A copy is a file's bytes under their sha256. It is written before the checkpoint that refers to it and removed
after the one that no longer does, so there are never more of them than slices wait and the network looks at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from daemon.volume_store import replace_file, unwritable


@dataclass(frozen=True, slots=True)
class Spool:
    """The copies below ``folder``, which is there only while it holds any."""

    folder: Path

    def keep(self, sha256: str, content: bytes) -> None:
        """Write a copy durably, unless there is one.

        Raises
        ------
        StoreError
            The disk is full or read-only.
        """
        path = self.folder / sha256
        if not path.exists():
            replace_file(path, content)

    def content(self, sha256: str) -> bytes | None:
        """A copy; None if there is none, or if it is not what it was."""
        try:
            content = (self.folder / sha256).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def keep_only(self, needed: Collection[str]) -> None:
        """Remove all other copies, and what a killed process has left half written.

        Raises
        ------
        StoreError
            They cannot be removed.
        """
        try:
            for path in self.folder.iterdir():
                if path.name not in needed:
                    path.unlink()
            if not needed:
                self.folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self.folder, error) from error
