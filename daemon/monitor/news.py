"""From the thread that listens to the daemon to the web server's loop: something has come.

A slice is told in a dozen messages within some milliseconds, its pictures among them, and the state of the
run comes last. All are shown at once when nothing has come for a moment, so that pages are neither late nor
drawn twice for one slice; talk without a pause is shown now and then all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

PAUSE_S: Final = 0.02
AT_LAST_S: Final = 0.1


class News:
    """Calls ``tell`` on ``loop``, ``pause_s`` after the last word or ``at_last_s`` after the first."""

    def __init__(
        self,
        tell: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
        pause_s: float = PAUSE_S,
        at_last_s: float = AT_LAST_S,
    ) -> None:
        self._tell = tell
        self._loop = loop
        self._pause_s = pause_s
        self._at_last_s = at_last_s
        self._pending: asyncio.TimerHandle | None = None
        self._no_later_than_s = 0.0

    def arrived(self) -> None:
        """Something has come; from any thread. Once the loop is closed nobody is told any more."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        now_s = self._loop.time()
        if self._pending is None:
            self._no_later_than_s = now_s + self._at_last_s
        else:
            self._pending.cancel()
        self._pending = self._loop.call_at(min(now_s + self._pause_s, self._no_later_than_s), self._close)

    def _close(self) -> None:
        self._pending = None
        self._tell()
