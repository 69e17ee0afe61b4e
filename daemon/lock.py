"""One daemon per output folder: two would write the same volume and tell two stories of one run."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import JournalError, StoreError
from daemon.operating_system import take_lock


@contextmanager
def exclusive(folder: Path) -> Generator[None]:
    """Hold the folder's lock; the operating system lets go of it when the process ends, however it ends.

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
        if not take_lock(descriptor):
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
