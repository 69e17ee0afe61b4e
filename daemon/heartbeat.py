"""The sign of life: a thread that publishes the daemon's vitals at a steady interval.

It runs beside the one loop on purpose: a heartbeat that stopped during a long inference would cry wolf.
Whether the loop makes progress is in what it says (state, age of the last image), not in that it speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

import structlog

from daemon.messages import HeartbeatMessage
from daemon.publish import Publisher

_log = structlog.get_logger("slicewatch")
INTERVAL_S = 2.0
MISSED_BEATS = 3  # after so much silence a client says that the daemon is unreachable


class Heartbeat:
    """Publishes ``vitals()`` every ``interval_s`` seconds until closed; ``vitals`` runs on its thread."""

    def __init__(
        self, publisher: Publisher, vitals: Callable[[], HeartbeatMessage], interval_s: float = INTERVAL_S
    ) -> None:
        self._publisher = publisher
        self._vitals = vitals
        self._interval_s = interval_s
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, after at most one more beat."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        self._beat()
        while not self._stopping.wait(self._interval_s):
            self._beat()

    def _beat(self) -> None:
        try:
            self._publisher.publish(self._vitals())
        except Exception:
            # One beat that cannot be told (no descriptor to look at the memory with) does not end the heart.
            _log.exception("heartbeat.defect")
