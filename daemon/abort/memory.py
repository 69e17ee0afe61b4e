"""What the journal remembers of an escalation, so that a daemon that was killed goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from daemon.abort.act import Step
from daemon.abort.orders import ActionResult, Order, Request
from daemon.abort.policy import Escalation, Stage
from daemon.items import Alarm
from daemon.journal import Journal, Record


@dataclass(frozen=True, slots=True)
class Arming:
    """Whether drift stops the microscope, who wanted it so, and since when."""

    armed: bool
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Memory:
    """Where an escalation stands: ``told_as`` is the alarm that announces the abort, ``ends_at`` the end of
    the grace period in UTC, ``results`` the abort actions that are done, by number.
    """

    arming: Arming
    escalation: Escalation
    told_as: str = ""
    ends_at: datetime | None = None
    results: Mapping[int, ActionResult] = field(default_factory=dict[int, ActionResult])


def recall(journal: Journal, configured: Arming, grace_s: float, *, now_s: float, now: datetime) -> Memory:
    """The last word of the journal; ``configured`` holds at the first start and when it was changed since.

    A grace period goes on to the hour that was told. One that ended while no daemon was there begins anew:
    nobody should start a daemon and have the microscope stopped under his hands. None lasts longer than
    ``grace_s`` from now, whatever the clock was set to meanwhile.
    """
    told = journal.latest("arming").get(0)
    changed = "abort" in journal.changes or "abort.armed" in journal.changes
    arming = configured if told is None or changed else msgspec.convert(told, Arming, strict=False)
    body = journal.latest("escalation").get(0)
    if body is None:
        return Memory(arming, Escalation(arming.armed))
    ends_at: datetime | None = msgspec.convert(body["ends_at"], datetime | None, strict=False)
    left_s = (ends_at - now).total_seconds() if ends_at else 0.0
    if ends_at is not None and not 0.0 < left_s <= grace_s:
        left_s, ends_at = grace_s, now + timedelta(seconds=grace_s)
    escalation = msgspec.convert(body["escalation"], Escalation, strict=False)
    escalation = replace(escalation, armed=arming.armed, deadline_s=now_s + left_s)
    return Memory(arming, escalation, body["told_as"], ends_at, _results(journal, escalation))


@dataclass(slots=True)
class Held:
    """What this process knows of its escalation beyond the journal: it outlives an attempt of the loop.

    A full disk makes the run forget what is not on record. ``memory`` is the last state, on record or not;
    ``called_off`` a cause that somebody took back while nothing could be recorded, and who.
    """

    memory: Memory | None = None
    called_off: tuple[Alarm, str] | None = None

    def grace_s(self, cause: Alarm, configured_s: float, now_s: float) -> float:
        """What is left of the grace period of a cause that is judged again; else the configured one."""
        before = self.memory.escalation if self.memory else None
        if before is None or before.cause is None or not is_same(before.cause, cause):
            return configured_s
        return min(configured_s, max(0.0, before.deadline_s - now_s))


def is_same(one: Alarm, other: Alarm) -> bool:
    """Whether two alarms tell the same of the same slice; their figures may be NaN."""
    return (one.kind, one.slice_index) == (other.kind, other.slice_index)


def carried_on(memory: Memory, held: Held, *, now_s: float, now: datetime) -> Memory:
    """The journal's last word with the deadline that this process has told: time did not stand still."""
    escalation = memory.escalation
    if escalation.stage is not Stage.GRACE or escalation.cause is None or memory.ends_at is None:
        return memory
    left_s = held.grace_s(escalation.cause, escalation.deadline_s - now_s, now_s)
    ends_at = now + timedelta(seconds=left_s)
    return replace(memory, escalation=replace(escalation, deadline_s=now_s + left_s), ends_at=ends_at)


def arming_record(arming: Arming) -> Record:
    """Who armed or disarmed."""
    return Record("arming", 0, msgspec.to_builtins(arming))


def escalation_record(memory: Memory) -> Record:
    """Where the escalation stands now."""
    body = {
        "escalation": msgspec.to_builtins(memory.escalation),
        "told_as": memory.told_as,
        "ends_at": msgspec.to_builtins(memory.ends_at),
    }
    return Record("escalation", 0, body)


def step_records(order: Order, step: Step) -> tuple[Record, ...]:
    """One attempt for the audit log; the last attempt at an action of the stop is also remembered."""
    attempt = {
        "command": f"{order.request} action",
        "by": "slicewatch",
        "order": order.identifier,
        "action": step.action,
        "attempt": step.attempt,
        **msgspec.to_builtins(step.result),
    }
    audit = Record("audit", 0, attempt)
    if not step.last or order.request is not Request.STOP:
        return (audit,)
    return audit, Record("abort step", step.action, msgspec.to_builtins(step.result))


def called_off_record(cause: Alarm, alarm: str, by: str) -> Record:
    """Who called a pending abort off, for the audit log."""
    return Record("audit", 0, {"command": "call off", "by": by, "alarm": alarm, "cause": cause.kind})


def _results(journal: Journal, escalation: Escalation) -> dict[int, ActionResult]:
    if escalation.stage is not Stage.ABORTING:
        return {}
    return {number: _result(body) for number, body in journal.latest("abort step").items()}


def _result(body: dict[str, Any]) -> ActionResult:
    return msgspec.convert(body, ActionResult, strict=False)
