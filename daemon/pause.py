"""A run that waits for room on its output disk: everybody is told, nothing that people ask for is lost.

Nothing can be recorded now, so commands stay in the inbox for the loop that will go on. What cannot wait
happens all the same: a stop ends the process, an operator's abort has gone to the microscope before it got
here, and a grace period runs on, is called off, or ends in the abort. The loop decides all of it again from
what it finds in the inbox, on the record this time, and joins the order that was given.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

import structlog

from daemon import alarms, space
from daemon.abort import policy
from daemon.abort.memory import Held, Memory
from daemon.abort.orders import Order, Request
from daemon.abort.policy import Stage
from daemon.items import Alarm, RunState
from daemon.pulse import beat
from daemon.requests import Acknowledge, AnyCommand, Disarm, Stop
from daemon.resume import counts_on_record
from daemon.signals import stopping_on_signals
from daemon.station import Station

_log = structlog.get_logger("slicewatch")
_LOOK_EVERY_S: Final = 1.0
"""How often a paused run looks for room and for requests."""


def wait_for_room(station: Station, alarm: Alarm) -> bool:
    """Wait until the disk has room again; False when a stop was asked for meanwhile."""
    stop = threading.Event()
    station.vitals.state, station.vitals.detail = RunState.PAUSED, alarm.message
    station.vitals.counts = counts_on_record(station.journal)
    station.bridge.unrecorded.tell(alarm)
    _log.error("run.paused", reason=alarm.message, remedy=alarm.remedy)
    pending = _Pending(station)
    with stopping_on_signals(stop.set):
        while not space.has_room(station.outputs.folder) or station.bridge.actor.is_stopping:
            beat(station.vitals, station.clock())
            pending.look()
            if stop.wait(_LOOK_EVERY_S) or any(isinstance(c, Stop) for c in station.inbox.waiting()):
                return False
    station.vitals.detail = ""
    _log.info("run.resumed", free_mib=space.free_bytes(station.outputs.folder) >> 20)
    return True


class _Pending:
    """Carries on an escalation that the full disk has interrupted: time passes and people are heard."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._held: Held = station.bridge.held
        self._heard: list[AnyCommand] = []
        if self._held.memory is not None:
            self._held.memory = _told_again(station, self._held.memory)

    def look(self) -> None:
        waiting = self._station.inbox.waiting()
        for command in waiting[len(self._heard) :]:
            self._take(self._event(command))
        self._heard = waiting
        self._take(policy.TimePassed())

    def _event(self, command: AnyCommand) -> policy.Event:
        memory = self._held.memory
        match command:
            case Acknowledge(alarm=alarm, by=by) if memory and alarm in (
                memory.escalation.alarm,
                memory.told_as,
            ):
                return policy.Acknowledged(memory.escalation.alarm, by)
            case Disarm(by=by):
                return policy.Disarmed(by)
            case Stop(by=by):
                return policy.RunStopped(by)
            case _:
                return policy.TimePassed()

    def _take(self, event: policy.Event) -> None:
        memory = self._held.memory
        if memory is None:
            return
        now_s, grace_s = self._station.clock(), self._station.configuration.abort.grace_s
        escalation, decisions = policy.step(memory.escalation, event, now_s=now_s, grace_s=grace_s)
        self._held.memory = replace(memory, escalation=escalation)
        for decision in decisions:
            self._follow(decision)

    def _follow(self, decision: policy.Decision) -> None:
        _log.warning("abort.decided", decision=type(decision).__name__, cause=decision.cause.kind)
        match decision:
            case policy.Abort(cause, alarm):
                order = Order(Request.STOP, str(self._station.journal.run_id), alarm, cause)
                self._station.bridge.actor.begin(order)
            case policy.CallOff(cause, _, by):
                self._held.called_off = (cause, by)
            case policy.RequestPause():
                pass


def _told_again(station: Station, memory: Memory) -> Memory:
    """The same under identifiers that people know: what is not on record has not been told to anybody."""
    escalation = memory.escalation
    if escalation.cause is None or not escalation.alarm or _is_on_record(station, escalation):
        return memory
    tell = station.bridge.unrecorded.tell
    number, told_as = tell(escalation.cause), ""
    if escalation.stage is Stage.GRACE:
        left_s = max(0.0, escalation.deadline_s - station.clock())
        told_as = tell(alarms.abort_pending(escalation.cause, number, left_s))
    return replace(memory, escalation=replace(escalation, alarm=number), told_as=told_as)


def _is_on_record(station: Station, escalation: policy.Escalation) -> bool:
    """Whether the escalation's alarm is that of its cause; the number may be another's by now."""
    told = station.journal.latest("alarm").get(int(escalation.alarm), {})
    cause = escalation.cause
    return cause is not None and (told.get("kind"), told.get("slice_index")) == (
        cause.kind,
        cause.slice_index,
    )
