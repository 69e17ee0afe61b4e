"""A section of a Markdown file that a command writes: see ``models.marked_section``."""

from __future__ import annotations

from pathlib import Path

from daemon.errors import StoreError
from models.marked_section import with_section


def write_section(path: Path, name: str, body: str, remedy: str) -> None:
    """Put ``body`` into the section of this name; the file is made if it is missing, the rest of it stays.

    ``remedy``: what to do where that fails.

    Raises
    ------
    StoreError
        The file cannot be read or written, or its section has no end.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(with_section(text, name, body), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the section {name} cannot be written: {error}",
            where=str(path),
            remedy=remedy,
        ) from error
