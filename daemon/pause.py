"""A run that waits for room on its output disk: everybody is told, nothing that people ask for is lost.

Nothing can be recorded now, so commands stay in the inbox for the loop that will go on. Two cannot wait: a
stop ends the process, and an abort goes to the microscope at once. The loop finds it again and gives the
same order under the same identifier, on the record this time.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from daemon import alarms, space
from daemon.abort.actor import Actor, Tried
from daemon.abort.escalator import reach_of
from daemon.abort.orders import ActionResult, Order, Request
from daemon.items import Alarm, RunState
from daemon.messages import alarm_message
from daemon.pulse import beat
from daemon.requests import Abort, Stop
from daemon.signals import stopping_on_signals
from daemon.station import Station

_log = structlog.get_logger("slicewatch")
_LOOK_EVERY_S: Final = 1.0
"""How often a paused run looks for room and for requests."""


def wait_for_room(station: Station, alarm: Alarm) -> bool:
    """Wait until the disk has room again; False when a stop was asked for meanwhile."""
    stop, aborting = threading.Event(), _Aborting(station)
    station.vitals.state, station.vitals.detail = RunState.PAUSED, alarm.message
    _tell(station, 1, alarm)
    _log.error("run.paused", reason=alarm.message, remedy=alarm.remedy)
    with stopping_on_signals(stop.set):
        while not space.has_room(station.outputs.folder):
            beat(station.vitals, station.clock())
            aborting.look()
            if stop.wait(_LOOK_EVERY_S) or any(isinstance(c, Stop) for c in station.inbox.waiting()):
                return False
    station.vitals.detail = ""
    _log.info("run.resumed", free_mib=space.free_bytes(station.outputs.folder) >> 20)
    return True


class _Aborting:
    """Hands the first abort that is asked for to the microscope, and tells what came of it."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._actor: Actor | None = None
        self._results: list[ActionResult] = []

    def look(self) -> None:
        asked = [command for command in self._station.inbox.waiting() if isinstance(command, Abort)]
        if asked and self._actor is None:
            reach = reach_of(self._station)
            cause = alarms.asked_to_abort(asked[0].by, asked[0].reason)
            _tell(self._station, 2, cause)
            self._actor = reach.actor
            self._actor.begin(Order(Request.STOP, reach.run, "", cause))
        for report in self._actor.reports() if self._actor else ():
            if not isinstance(report, Tried):
                _tell(self._station, 3, alarms.aborted(report.order.cause, self._results))
            elif report.step.last:
                self._results.append(report.step.result)


def _tell(station: Station, after: int, alarm: Alarm) -> None:
    """Tell an alarm that is not on record yet, under the number that it will have."""
    station.publisher.publish(alarm_message(str(station.vitals.counts.alarms + after), alarm))
