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
        raise _not_written(path, name, remedy, error) from error


def check_section(path: Path, name: str, remedy: str) -> None:
    """Make sure that :func:`write_section` will be able to write, before the work whose result it is to hold.

    Raises
    ------
    StoreError
        As :func:`write_section`.
    """
    try:
        is_new = not path.exists()
        if not is_new:
            with_section(path.read_text(encoding="utf-8"), name, "")
        with path.open("a", encoding="utf-8"):
            pass
        if is_new:
            path.unlink()
    except (OSError, ValueError) as error:
        raise _not_written(path, name, remedy, error) from error


def _not_written(path: Path, name: str, remedy: str, error: Exception) -> StoreError:
    return StoreError(f"the section {name} cannot be written: {error}", where=str(path), remedy=remedy)
