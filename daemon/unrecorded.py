"""Alarms that cannot be put on record now, because the disk is full or the loop hangs, and cannot wait."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from daemon.items import Alarm
from daemon.messages import alarm_message
from daemon.publish import Publisher
from daemon.vitals import Vitals


class Unrecorded:
    """Tells alarms under the numbers that they will have once they are on record; from any thread."""

    def __init__(self, publisher: Publisher, vitals: Vitals) -> None:
        self._publisher = publisher
        self._vitals = vitals
        self._lock = Lock()

    def tell(self, alarm: Alarm) -> str:
        """Tell it; the identifier that it is told under."""
        with self._lock:
            number = self._vitals.counts.alarms + 1
            self._vitals.counts = replace(self._vitals.counts, alarms=number)
        self._publisher.publish(alarm_message(str(number), alarm))
        return str(number)
