"""What people ask of a run, and the one way from a verdict to the microscope."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from daemon import alarms
from daemon.abort.escalator import Escalator, Reach
from daemon.abort.policy import Stage
from daemon.inbox import Inbox
from daemon.items import Alarm, FinishReason
from daemon.outlet import Outlet
from daemon.requests import Abort, Acknowledge, AnyCommand, Arm, Disarm, Stop

_PATIENCE_S: Final = 0.2
"""How long to wait for what an abort brings before the loop's pulse is felt again."""


class Operator:
    """Obeys commands between slices; every one of them goes into the journal with its author."""

    def __init__(
        self, outlet: Outlet, reach: Reach, tell: Callable[[Alarm], str], commit: Callable[[], None]
    ) -> None:
        self._outlet = outlet
        self._note, self._actor = reach.note, reach.actor
        self._escalator = Escalator(reach, outlet, tell, commit)

    @property
    def is_aborting(self) -> bool:
        """Whether the microscope is being stopped right now; the run waits to hear what came of it."""
        return self._escalator.stage is Stage.ABORTING

    def obey(self, inbox: Inbox, reason: FinishReason | None) -> FinishReason | None:
        """Carry out commands in order, then look after what is pending; why the run must end, if it must.

        ``reason`` is why it must end already; an abort comes before all others. A command becomes durable
        together with what comes of it; where that fails, for the disk is full, it and those behind it wait
        again.
        """
        commands = deque(inbox.drain())
        try:
            while commands:
                self._outlet.audit(commands[0])
                wish = self._obeyed(commands[0])
                reason = reason or wish
                commands.popleft()
        finally:
            inbox.put_back(commands)
        self._escalator.look()
        return FinishReason.DRIFT_ABORT if self._escalator.stage is Stage.ABORTED else reason

    def obey_the_last(self, inbox: Inbox, reason: FinishReason) -> FinishReason:
        """Refuse what comes from now on, carry out what came while the run was finishing; why it ends."""
        inbox.close()
        ended = self.obey(inbox, reason)
        while self.is_aborting:
            self._outlet.beat()
            self._actor.wait(_PATIENCE_S)
            ended = self.obey(inbox, reason)
        return ended or reason

    def drifted(self, cause: Alarm, alarm: str) -> None:
        """Sustained drift was told as ``alarm``: if armed, this begins the way to the microscope."""
        self._escalator.drifted(cause, alarm)

    def _obeyed(self, command: AnyCommand) -> FinishReason | None:
        match command:
            case Acknowledge():
                self._outlet.acknowledge(command.alarm, command.by)
                self._escalator.acknowledged(command.alarm, command.by)
            case Arm():
                self._escalator.arm(command.by)
            case Disarm():
                self._escalator.disarm(command.by)
            case Stop():
                self._escalator.run_stopped(command.by)
                return FinishReason.STOPPED
            case Abort():
                self._escalator.abort(alarms.asked_to_abort(command.by, command.reason))
                self._note.forget()
        return None
