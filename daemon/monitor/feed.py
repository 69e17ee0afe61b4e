"""From the daemon to the page: a thread that follows the wire, and the picture that the page draws.

The thread only receives; the picture is changed on the web server's own thread when it calls ``catch_up``,
so nothing on the page is locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread

from daemon.client import Answer, Client, Update
from daemon.errors import WireError
from daemon.heartbeat import INTERVAL_S, MISSED_BEATS
from daemon.items import RunState
from daemon.keys import ClientKey
from daemon.messages import PreviewMessage
from daemon.view import RunView
from daemon.wire import Event

PATIENCE_S = 1.0
ANSWER_WITHIN_S = 2.0


class Feed:
    """Follows one daemon once it is started. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        events: str,
        control: str,
        key: ClientKey | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.events = events
        self.control = control
        self._key = key
        self.view = RunView()
        self.trouble = ""
        self._clock = clock
        self._heard_at = clock()
        self._arrived: SimpleQueue[tuple[float, Update | WireError]] = SimpleQueue()
        self._stopping = Flag()
        self._thread: Thread | None = None

    def start(self, arrived: Callable[[], None]) -> None:
        """Follow from now on; ``arrived`` is called on the feed's own thread when something has come."""
        self._thread = Thread(target=self._follow, args=(arrived,), name="feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def catch_up(self) -> None:
        """Take what has arrived into the picture."""
        try:
            while True:
                self._take(*self._arrived.get_nowait())
        except Empty:
            return

    @property
    def silent_s(self) -> float:
        """Seconds since the daemon last said anything."""
        return self._clock() - self._heard_at

    @property
    def last_word(self) -> str:
        """When the daemon last said anything, on this machine's clock: 12:03:04."""
        return (datetime.now() - timedelta(seconds=self.silent_s)).strftime("%H:%M:%S")

    @property
    def stale(self) -> bool:
        """Three heartbeats have not come: what the page shows is old."""
        interval_s = self.view.heartbeat.interval_s if self.view.heartbeat else INTERVAL_S
        return self.silent_s > MISSED_BEATS * interval_s

    @property
    def finished(self) -> bool:
        """The run has ended, so silence is as it should be."""
        return self.view.run is not None and self.view.run.state is RunState.FINISHED

    @property
    def away(self) -> bool:
        """Nobody is there to ask: all that can be shown is what has been told."""
        return self.finished or self.stale

    def _take(self, at: float, update: Update | WireError) -> None:
        match update:
            case Answer():
                self.view.begin(update)
            case Event():
                self.view.apply(update)
            case WireError():
                self.trouble = str(update)
                return
            case _:
                return
        self._heard_at, self.trouble = at, ""

    def _follow(self, arrived: Callable[[], None]) -> None:
        """Follow until closed; a daemon that speaks nonsense is shown as trouble and tried again."""
        while not self._stopping.is_set():
            with Client(self.events, self.control, timeout_s=ANSWER_WITHIN_S, key=self._key) as client:
                try:
                    for update in client.follow(patience_s=PATIENCE_S, until=self._stopping.is_set):
                        self._arrived.put((self._clock(), _with_pictures(client, update)))
                        arrived()
                except WireError as error:
                    self._arrived.put((self._clock(), error))
                    arrived()
            self._stopping.wait(PATIENCE_S)


def _with_pictures(client: Client, update: Update) -> Update:
    """A preview that came without its pictures, with them: the newest there are."""
    if isinstance(update, Event) and isinstance(update.message, PreviewMessage) and not update.message.arrays:
        return client.latest(PreviewMessage.topic) or update
    return update
