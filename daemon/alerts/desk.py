"""The thread that tells people: it follows the event stream from inside, and never holds up the loop.

What has been told stands in ``alerts.json`` beside the outputs, so a restart neither repeats nor forgets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

import msgspec
import structlog

from daemon.alerts.delivery import deliver
from daemon.alerts.policy import Notice, Rules, Told, due
from daemon.client import Answer
from daemon.config import AlertsSection
from daemon.errors import StoreError
from daemon.items import FinishReason
from daemon.publish import Publisher
from daemon.view import RunView
from daemon.volume_store import write_atomically
from daemon.wire import decode

_log = structlog.get_logger("slicewatch")
_LOOK_EVERY_S: Final = 1.0
_AFTER_FAILURE_S: Final = 60.0
_LAST_WORDS_S: Final = 60.0


class Desk:
    """Looks at the run once a second until closed, and tells what is due."""

    def __init__(
        self,
        publisher: Publisher,
        section: AlertsSection,
        path: Path,
        now: Callable[[], datetime],
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._publisher = publisher
        self._section = section
        self._path = path
        self._now = now
        self._look_every_s = look_every_s
        self._rules = Rules(section.repeat_s, section.hourly_limit, section.digest_hour)
        self._told = recalled(path)
        self._view = RunView()
        self._next = 0
        self._stopping = Flag()
        self._thread = Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell what is left to tell, but do not wait for a receiver that hangs."""
        self._stopping.set()
        self._thread.join(_LAST_WORDS_S)

    def _work(self) -> None:
        wait_s = self._look_every_s
        while not self._stopping.wait(wait_s):
            wait_s = self._look_every_s if self._looked() else _AFTER_FAILURE_S
        self._looked()

    def _looked(self) -> bool:
        try:
            return self._look()
        except Exception:
            # Whatever is wrong with one letter, the thread that tells people must not end with it.
            _log.exception("alert.defect")
            return False

    def _look(self) -> bool:
        """Whether everything that was due has been told."""
        follow(self._publisher, self._view, self._next)
        self._next = (self._view.envelope.seq if self._view.envelope else 0) + 1
        ended = finish_reason(self._view)
        now_s = self._now().timestamp()
        told, notice = due(self._told, self._view.alarms, ended, now_s=now_s, rules=self._rules)
        if not notice.is_empty and not deliver(self._section, notice, self._view):
            return False
        self._keep(told, notice)
        return True

    def _keep(self, told: Told, notice: Notice) -> None:
        if told == self._told:
            return
        self._told = told
        try:
            remember(self._path, told)
        except StoreError as error:
            _log.error("alert.state", why=str(error), told=not notice.is_empty)


def follow(publisher: Publisher, view: RunView, next_seq: int) -> None:
    """Bring ``view`` up to date from the publisher of the same process."""
    seq, messages = publisher.since(next_seq)
    if messages is None or view.envelope is None:
        seq, messages = publisher.snapshot()
        view.begin(Answer(publisher.envelope(seq), tuple(decode(parts) for parts in messages)))
        return
    for parts in messages:
        view.apply(decode(parts))


def finish_reason(view: RunView) -> str:
    """Why the run is over; empty while it is not, and when somebody stopped it on purpose."""
    reason = view.run.finish_reason if view.run else None
    return str(reason) if reason not in (None, FinishReason.STOPPED) else ""


def recalled(path: Path) -> Told:
    """What has been told before; a file that cannot be read means that it is told again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError):
        return Told()


def remember(path: Path, told: Told) -> None:
    """Keep what has been told.

    Raises
    ------
    StoreError
        The disk is full or gone.
    """
    write_atomically(path, msgspec.json.encode(told).decode())
