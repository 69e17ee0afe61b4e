"""When the microscope is asked to pause and when it is stopped: pure, a value in and a value out.

::

    QUIET ──drift while armed──► GRACE ──time is up──► ABORTING ──actions done──► ABORTED
      ▲                            │                      ▲
      └──acknowledged, disarmed,───┘    an operator's     │
         run stopped                    abort, or no grace┘

What follows from a step are decisions; ``daemon.operator`` hands them to those who act. Times are monotonic
seconds from an injected clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.items import Alarm


class Stage(StrEnum):
    """How far an alarm has come on its way to the microscope."""

    QUIET = "quiet"
    GRACE = "grace"
    ABORTING = "aborting"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Escalation:
    """The state: ``alarm`` is the identifier of the alarm that ``cause`` was told under, empty if somebody
    asked; until ``deadline_s`` acknowledging it calls the abort off.
    """

    armed: bool
    stage: Stage = Stage.QUIET
    cause: Alarm | None = None
    alarm: str = ""
    deadline_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Drifted:
    """Sustained drift was told as ``alarm``."""

    cause: Alarm
    alarm: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody has seen an alarm."""

    alarm: str
    by: str


@dataclass(frozen=True, slots=True)
class Armed:
    """From now on drift stops the microscope."""


@dataclass(frozen=True, slots=True)
class Disarmed:
    """From now on drift only tells, and what is pending is called off."""

    by: str


@dataclass(frozen=True, slots=True)
class RunStopped:
    """Somebody ended the run on purpose; a pending abort must not strike when it is started again."""

    by: str


@dataclass(frozen=True, slots=True)
class AbortAsked:
    """Somebody wants the microscope stopped now, armed or not."""

    cause: Alarm


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time."""


@dataclass(frozen=True, slots=True)
class ActionsDone:
    """Every action of the abort has been tried."""


Event = Drifted | Acknowledged | Armed | Disarmed | RunStopped | AbortAsked | TimePassed | ActionsDone


@dataclass(frozen=True, slots=True)
class RequestPause:
    """Ask the microscope to pause: in ``grace_s`` it will be stopped."""

    cause: Alarm
    alarm: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop the microscope."""

    cause: Alarm
    alarm: str


@dataclass(frozen=True, slots=True)
class CallOff:
    """The pending abort will not happen."""

    cause: Alarm
    alarm: str
    by: str


Decision = RequestPause | Abort | CallOff


def step(
    state: Escalation, event: Event, *, now_s: float, grace_s: float
) -> tuple[Escalation, tuple[Decision, ...]]:
    """The next state, and what is to be done; once aborting, nothing but ``ActionsDone`` changes anything."""
    if state.stage in (Stage.ABORTING, Stage.ABORTED):
        return (replace(state, stage=Stage.ABORTED) if isinstance(event, ActionsDone) else state), ()
    match event:
        case Drifted():
            return _drifted(state, event, now_s, grace_s)
        case Armed():
            return replace(state, armed=True), ()
        case Disarmed(by):
            quiet, decisions = _called_off(state, by)
            return replace(quiet, armed=False), decisions
        case RunStopped(by):
            return _called_off(state, by)
        case Acknowledged(alarm, by):
            return _called_off(state, by) if alarm == state.alarm else (state, ())
        case AbortAsked(cause):
            return _aborting(state, cause, "")
        case _:
            return _passed(state, now_s)


def _drifted(
    state: Escalation, event: Drifted, now_s: float, grace_s: float
) -> tuple[Escalation, tuple[Decision, ...]]:
    """A second alarm does not restart the grace period of the first."""
    if not state.armed or state.stage is Stage.GRACE:
        return state, ()
    if grace_s <= 0.0:
        return _aborting(state, event.cause, event.alarm)
    pending = Escalation(state.armed, Stage.GRACE, event.cause, event.alarm, now_s + grace_s)
    return pending, (RequestPause(event.cause, event.alarm, grace_s),)


def _passed(state: Escalation, now_s: float) -> tuple[Escalation, tuple[Decision, ...]]:
    if state.stage is not Stage.GRACE or state.cause is None or now_s < state.deadline_s:
        return state, ()
    return _aborting(state, state.cause, state.alarm)


def _aborting(state: Escalation, cause: Alarm, alarm: str) -> tuple[Escalation, tuple[Decision, ...]]:
    return Escalation(state.armed, Stage.ABORTING, cause, alarm), (Abort(cause, alarm),)


def _called_off(state: Escalation, by: str) -> tuple[Escalation, tuple[Decision, ...]]:
    if state.stage is not Stage.GRACE or state.cause is None:
        return state, ()
    return Escalation(state.armed), (CallOff(state.cause, state.alarm, by),)
