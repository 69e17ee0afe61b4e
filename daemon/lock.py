"""One daemon per output folder: two would write the same volume and tell two stories of one run."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from daemon.errors import JournalError, StoreError
from daemon.operating_system import take_lock

_BETWEEN_TRIES_S: Final = 0.2


@contextmanager
def exclusive(folder: Path, patience_s: float = 0.0) -> Generator[None]:
    """Hold the folder's lock; the operating system lets go of it when the process ends, however it ends.

    ``patience_s``: how long to wait for another process that may be about to end.

    Raises
    ------
    JournalError
        Another process holds it.
    StoreError
        The folder cannot be written.
    """
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"the output folder cannot be written: {error.strerror or error}",
            where=str(folder),
            remedy="Check the rights of run.output and of its disk, or choose another folder.",
        ) from error
    try:
        if not _taken(descriptor, patience_s):
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "?"
            raise JournalError(
                f"another slicewatch (process {owner}) writes this run",
                where=str(folder),
                remedy="Stop that one, or choose another run.output.",
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, patience_s: float) -> bool:
    """Whether the lock could be taken in time."""
    deadline, never = time.monotonic() + patience_s, Event()
    while not (is_taken := take_lock(descriptor)) and time.monotonic() < deadline:
        never.wait(_BETWEEN_TRIES_S)
    return is_taken
