"""Letters that a receiver is owed: every letter is owed to each receiver first, and then paid.

They stand in ``alerts-owed.msgpack`` beside the outputs while there are any, so that neither a kill nor a
receiver that is away at the end of a run loses one: the next start or the outside watchdog pays it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import structlog

from daemon.alerts.delivery import is_taken, receivers
from daemon.alerts.policy import Notice, together
from daemon.config import AlertsSection
from daemon.errors import StoreError
from daemon.view import RunView
from daemon.volume_store import replace_file

OWED: Final = "alerts-owed.msgpack"
_log = structlog.get_logger("slicewatch")
_MOST_ALARMS: Final = 100
"""A receiver that is away for days is told of the newest alarms, not of thousands."""


class Debts:
    """What is owed to whom; ``owed`` by the name of the receiver."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.owed = owed_in(path)

    def add(self, names: Collection[str], notice: Notice) -> None:
        """Owe a letter to each of them, together with what they are owed already."""
        for name in names:
            notice_due = together(self.owed[name], notice) if name in self.owed else notice
            self.owed[name] = replace(notice_due, new=notice_due.new[-_MOST_ALARMS:])
        self._keep()

    def pay(self, section: AlertsSection, view: RunView) -> None:
        """Try everybody who is owed something; who is no receiver any more is owed nothing."""
        if not self.owed:
            return
        names = receivers(section)
        self.owed = {
            name: notice
            for name, notice in self.owed.items()
            if name in names and not is_taken(section, name, notice, view)
        }
        self._keep()

    def _keep(self) -> None:
        try:
            if self.owed:
                replace_file(self._path, msgspec.msgpack.encode(self.owed))
            else:
                self._path.unlink(missing_ok=True)
        except (StoreError, OSError) as error:
            _log.error("alert.owed", why=str(error), to=sorted(self.owed))


def owed_in(path: Path) -> dict[str, Notice]:
    """What a file says is owed; nothing if it is not there, or, which is logged, cannot be read."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, Notice])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        _log.error("alert.owed", why=str(error), where=str(path))
        return {}
