"""What people ask of a run, and the one way from a verdict to the microscope."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon import alarms
from daemon.abort.escalator import Escalator, Reach
from daemon.abort.policy import Stage
from daemon.items import Alarm, FinishReason
from daemon.outlet import Outlet
from daemon.requests import Abort, Acknowledge, Arm, Command, Disarm, Stop


class Operator:
    """Obeys commands between slices; every one of them goes into the journal with its author."""

    def __init__(
        self, outlet: Outlet, reach: Reach, tell: Callable[[Alarm], str], commit: Callable[[], None]
    ) -> None:
        self._outlet = outlet
        self._escalator = Escalator(reach, outlet, tell, commit)

    @property
    def is_aborting(self) -> bool:
        """Whether the microscope is being stopped right now; the run waits to hear what came of it."""
        return self._escalator.stage is Stage.ABORTING

    def obey(self, commands: Sequence[Command]) -> FinishReason | None:
        """Carry out commands in order, then look after what is pending; why the run must end, if it must."""
        reason: FinishReason | None = None
        for command in commands:
            self._outlet.audit(command)
            reason = self._obeyed(command) or reason
        self._escalator.look()
        return FinishReason.DRIFT_ABORT if self._escalator.stage is Stage.ABORTED else reason

    def drifted(self, cause: Alarm, alarm: str) -> None:
        """Sustained drift was told as ``alarm``: if armed, this begins the way to the microscope."""
        self._escalator.drifted(cause, alarm)

    def _obeyed(self, command: Command) -> FinishReason | None:
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
            case _:
                pass
        return None
