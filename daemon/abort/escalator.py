"""Between verdict and microscope: keeps the escalation's state, hands out orders, tells and records it all.

``policy`` decides, ``actor`` acts; this is what binds both to the run. The loop calls in after every verdict,
command and turn, and never waits here. Orders go out before they are on record: a disk that is full or hangs
must not keep the microscope milling. A daemon killed in between decides again, and gives the same order
under the same identifier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from daemon import alarms
from daemon.abort import policy
from daemon.abort.actor import Actor, Done, Report
from daemon.abort.memory import (
    Arming,
    Held,
    Memory,
    arming_record,
    called_off_record,
    carried_on,
    escalation_record,
    is_same,
    recall,
    step_records,
)
from daemon.abort.note import Note
from daemon.abort.orders import ActionResult, Order, Request
from daemon.abort.policy import Escalation, Stage
from daemon.config import AbortSection
from daemon.items import Alarm
from daemon.journal import Record
from daemon.messages import EscalationDescription
from daemon.station import Station

_log = structlog.get_logger("slicewatch")


class Telling(Protocol):
    """What the escalation says, and where it is kept: the outlet."""

    def escalation(self, arming: Arming, told: EscalationDescription) -> None:
        """Show the state to everybody."""
        ...

    def keep(self, *records: Record) -> None:
        """Keep records until the next commit."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """What an escalation may use: its rules, the threads that act, where it stands, and the clocks.

    ``held`` and ``note`` are what is known beside the journal.
    """

    section: AbortSection
    run: str
    actor: Actor
    memory: Memory
    held: Held
    note: Note
    clock: Callable[[], float]
    now: Callable[[], datetime]


def reach_of(station: Station) -> Reach:
    """The reach of a run, going on from its journal; a closed bridge's is unarmed, whatever that says."""
    bridge = station.bridge
    unarmed = Memory(Arming(False, "reprocess", station.now()), Escalation(armed=False))
    return Reach(
        section=station.configuration.abort,
        run=str(station.journal.run_id),
        actor=bridge.actor,
        memory=_remembered(station) if bridge.is_open else unarmed,
        held=bridge.held,
        note=bridge.note,
        clock=station.clock,
        now=station.now,
    )


def _remembered(station: Station) -> Memory:
    """What the journal and an attempt before this one know of the escalation."""
    section, now_s, now = station.configuration.abort, station.clock(), station.now()
    configured = Arming(section.armed, "configuration", now)
    memory = recall(station.journal, configured, section.grace_s, now_s=now_s, now=now)
    return carried_on(memory, station.bridge.held, now_s=now_s, now=now)


class Escalator:
    """One run's escalation.

    ``tell`` raises an alarm and gives its identifier; ``commit`` makes durable what was kept between slices.
    """

    def __init__(
        self, reach: Reach, outlet: Telling, tell: Callable[[Alarm], str], commit: Callable[[], None]
    ) -> None:
        self._reach = reach
        self._outlet = outlet
        self._tell = tell
        self._commit = commit
        self._memory = reach.memory
        self._before = replace(reach.held)
        # What a full disk has interrupted is not forgotten before its slice is judged again.
        self._is_settled = self._before.memory is None or self._before.memory.escalation.cause is None
        self._results: dict[Request, dict[int, ActionResult]] = {Request.STOP: dict(reach.memory.results)}
        self._orders: list[Order] = []
        self._show()
        self._resume()

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self._memory.escalation.stage

    def drifted(self, cause: Alarm, alarm: str) -> None:
        """Sustained drift was told as ``alarm``, by the slice in hand.

        A slice is judged again when the disk was full before it was on record: its grace period goes on, and
        what was called off meanwhile stays so.
        """
        called_off = self._before.called_off
        if called_off is not None and is_same(called_off[0], cause):
            self._outlet.keep(called_off_record(cause, alarm, called_off[1]))
            return
        grace_s = self._before.grace_s(cause, self._reach.section.grace_s, self._reach.clock())
        self._take(policy.Drifted(cause, alarm), grace_s)
        self._begin()

    def acknowledged(self, alarm: str, by: str) -> None:
        """Somebody has seen an alarm; the one that announces the abort stands for its cause."""
        cause = self._memory.escalation.alarm if alarm == self._memory.told_as else alarm
        self._happened(policy.Acknowledged(cause, by))

    def arm(self, by: str) -> None:
        """From now on drift stops the microscope."""
        self._set(Arming(True, by, self._reach.now()))
        self._happened(policy.Armed())

    def disarm(self, by: str) -> None:
        """From now on drift only tells."""
        self._set(Arming(False, by, self._reach.now()))
        self._happened(policy.Disarmed(by))

    def run_stopped(self, by: str) -> None:
        """The run is ended on purpose."""
        self._happened(policy.RunStopped(by))

    def abort(self, cause: Alarm) -> None:
        """Somebody wants the microscope stopped, armed or not."""
        self._happened(policy.AbortAsked(cause))

    def look(self) -> None:
        """Let time pass, and take in what the actions have done since the last look."""
        before = self._memory
        self._take(policy.TimePassed())
        self._begin()
        reports = self._reach.actor.reports()
        for report in reports:
            self._report(report)
        if reports or self._memory is not before:
            self._commit()
        self._reach.actor.recorded(len(reports))

    def _happened(self, event: policy.Event) -> None:
        self._take(event)
        self._begin()
        self._commit()

    def _take(self, event: policy.Event, grace_s: float | None = None) -> None:
        """One step of the policy; what it decides waits in ``_orders``."""
        grace_s = self._reach.section.grace_s if grace_s is None else grace_s
        now_s = self._reach.clock()
        escalation, decisions = policy.step(self._memory.escalation, event, now_s=now_s, grace_s=grace_s)
        if escalation == self._memory.escalation:
            return
        self._memory = replace(self._memory, escalation=escalation, told_as="", ends_at=None)
        for decision in decisions:
            self._follow(decision)
        self._outlet.keep(escalation_record(self._memory))
        self._show()

    def _follow(self, decision: policy.Decision) -> None:
        match decision:
            case policy.RequestPause(cause, alarm, grace_s):
                told_as = self._tell(alarms.abort_pending(cause, alarm, grace_s))
                ends_at = self._reach.now() + timedelta(seconds=grace_s)
                self._memory = replace(self._memory, told_as=told_as, ends_at=ends_at)
                if self._reach.section.pause_actions:
                    self._orders.append(Order(Request.PAUSE, self._reach.run, alarm, cause))
            case policy.Abort(cause, alarm):
                self._orders.append(Order(Request.STOP, self._reach.run, alarm, cause))
            case policy.CallOff(cause, alarm, by):
                self._outlet.keep(called_off_record(cause, alarm, by))
        _log.warning("abort.decided", decision=type(decision).__name__, cause=decision.cause.kind)

    def _begin(self) -> None:
        orders, self._orders = self._orders, []
        for order in orders:
            self._reach.actor.begin(order, frozenset(self._results.get(order.request, ())))

    def _resume(self) -> None:
        """An earlier process was killed in the middle of an abort: do what it did not come to.

        A grace period that ran out while the disk was full is over before anybody is heard.
        """
        self._take(policy.TimePassed())
        self._begin()
        escalation = self._memory.escalation
        if escalation.stage is Stage.ABORTING and escalation.cause is not None:
            self._orders.append(Order(Request.STOP, self._reach.run, escalation.alarm, escalation.cause))
            self._begin()

    def _report(self, report: Report) -> None:
        order = report.order
        if order.request is Request.STOP and self.stage not in (Stage.ABORTING, Stage.ABORTED):
            self._take(policy.AbortAsked(order.cause))  # it has gone past the loop, faster than its command
        results = self._results.setdefault(order.request, {})
        if isinstance(report, Done):
            self._done(order, [results[number] for number in sorted(results)])
            return
        result = report.step.result
        if report.step.last:
            results[report.step.action] = result
        self._outlet.keep(*step_records(order, report.step))
        _log.warning(
            "abort.action",
            request=str(order.request),
            action=result.kind,
            target=result.target,
            attempt=report.step.attempt,
            outcome=str(result.outcome),
            detail=result.detail,
        )

    def _done(self, order: Order, results: list[ActionResult]) -> None:
        if order.request is Request.STOP:
            self._tell(alarms.aborted(order.cause, results))
            self._take(policy.ActionsDone())
        elif not any(result.confirmed for result in results):
            self._tell(alarms.pause_unconfirmed(order, results))

    def _set(self, arming: Arming) -> None:
        self._memory = replace(self._memory, arming=arming)
        self._outlet.keep(arming_record(arming))
        self._show()

    def _show(self) -> None:
        if self._is_settled or self._memory.escalation.cause is not None:
            self._reach.held.memory, self._is_settled = self._memory, True
        memory, escalation = self._memory, self._memory.escalation
        ends_at = memory.ends_at
        told = EscalationDescription(
            stage=str(escalation.stage),
            alarm=escalation.alarm,
            told_as=memory.told_as,
            cause=escalation.cause.message if escalation.cause else "",
            ends_at=ends_at,
            grace_left_s=max(0.0, (ends_at - self._reach.now()).total_seconds()) if ends_at else float("nan"),
        )
        self._outlet.escalation(memory.arming, told)
