"""A note beside the outputs that an operator's abort has begun and is not on record yet.

A slice may hang, and systemd then kills the daemon: the next start must know that the microscope has been
stopped, give the same order again under the same identifier, and end the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import structlog

from daemon.abort.time_limit import OutOfTimeError, within
from daemon.errors import StoreError
from daemon.requests import Abort
from daemon.volume_store import write_atomically

_log = structlog.get_logger("slicewatch")
_WITHIN_S: Final = 1.0
"""A disk that hangs holds nobody up for longer."""


class Note:
    """The file at ``path``, or its absence."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, command: Abort) -> None:
        """As far as the disk lets us: the stop itself has begun and does not hang on it."""
        try:
            within(_WITHIN_S, lambda: write_atomically(self._path, msgspec.json.encode(command).decode()))
        except (StoreError, OutOfTimeError) as error:
            _log.error("abort.note", why=str(error))

    def recall(self) -> Abort | None:
        """What an earlier process was asked for and had not put on record; a note that is none is logged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Abort)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.error("abort.note", why=str(error), where=str(self._path))
            return None

    def forget(self) -> None:
        """It is on record."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.error("abort.note", why=str(error))
