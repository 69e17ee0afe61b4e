"""The thread that tells people: it follows the event stream from inside, and never holds up the loop.

What has been told stands in ``alerts.json`` beside the outputs, so a restart neither repeats nor forgets;
what a receiver has not taken yet, in ``daemon.alerts.debts``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

import msgspec
import structlog

from daemon.alerts.debts import OWED, Debts
from daemon.alerts.delivery import receivers
from daemon.alerts.policy import Rules, Told, due
from daemon.client import Answer
from daemon.config import AlertsSection
from daemon.errors import StoreError
from daemon.items import FinishReason
from daemon.publish import Publisher
from daemon.view import RunView
from daemon.volume_store import write_atomically
from daemon.wire import decode

_log = structlog.get_logger("slicewatch")
_TOLD: Final = "alerts.json"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the desk looks, when it tries a receiver again, and how it ends.

    At the end it tries every ``last_tries_every_s`` for ``last_words_s``: a service that stops may take so
    long, and a receiver that was just restarted is back by then.
    """

    look_every_s: float = 1.0
    after_failure_s: float = 60.0
    last_tries_every_s: float = 5.0
    last_words_s: float = 60.0


class Desk:
    """Looks at the run once a second until closed, and tells what is due."""

    def __init__(
        self,
        publisher: Publisher,
        section: AlertsSection,
        folder: Path,
        now: Callable[[], datetime],
        rhythm: Rhythm = Rhythm(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._section = section
        self._path = folder / _TOLD
        self._now = now
        self._rhythm = rhythm
        self._clock = clock
        self._rules = Rules(section.repeat_s, section.hourly_limit, section.digest_hour)
        self._told = recalled(self._path)
        self._debts = Debts(folder / OWED)
        self._tried_s = clock()
        self._view = RunView()
        self._next = 0
        self._stopping, self._gave_up = Flag(), Flag()
        self._thread = Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell what is left to tell, but do not wait for ever for a receiver that is away or hangs."""
        self._stopping.set()
        self._thread.join(self._rhythm.last_words_s)
        self._gave_up.set()

    def _work(self) -> None:
        while not self._stopping.wait(self._rhythm.look_every_s):
            self._safely(self._look)
            if self._clock() - self._tried_s >= self._rhythm.after_failure_s:
                self._safely(self._pay)
        self._safely(self._look)
        while self._debts.owed and not self._gave_up.wait(self._rhythm.last_tries_every_s):
            self._safely(self._pay)

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            # Whatever is wrong with one letter, the thread that tells people must not end with it.
            _log.exception("alert.defect")

    def _look(self) -> None:
        """Tell what is due; what somebody has not taken is owed to him."""
        follow(self._publisher, self._view, self._next)
        self._next = (self._view.envelope.seq if self._view.envelope else 0) + 1
        ended = finish_reason(self._view)
        now_s = self._now().timestamp()
        told, notice = due(self._told, self._view.alarms, ended, now_s=now_s, rules=self._rules)
        if not notice.is_empty:
            self._debts.add(receivers(self._section), notice)
        self._keep(told)
        if not notice.is_empty:
            self._pay()

    def _pay(self) -> None:
        self._debts.pay(self._section, self._view)
        self._tried_s = self._clock()

    def _keep(self, told: Told) -> None:
        if told == self._told:
            return
        self._told = told
        try:
            remember(self._path, told)
        except StoreError as error:
            _log.error("alert.state", why=str(error))


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
