"""What people ask of a run, and the one decision that acts on the microscope: armed or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon import alarms
from daemon.abort import abort
from daemon.config import AbortSection
from daemon.items import Alarm, FinishReason
from daemon.outlet import Outlet
from daemon.requests import Abort, Acknowledge, Arm, Command, Disarm, Stop


class Operator:
    """Obeys commands between slices; every one of them goes into the journal with its author."""

    def __init__(self, outlet: Outlet, section: AbortSection, tell: Callable[[Alarm], None]) -> None:
        self._outlet = outlet
        self._section = section
        self._tell = tell

    def obey(self, commands: Sequence[Command]) -> FinishReason | None:
        """Carry out commands in order; why the run must end, if one of them says so."""
        reason: FinishReason | None = None
        for command in commands:
            self._outlet.audit(command)
            reason = self._obeyed(command) or reason
        return reason

    def abort_if_armed(self, cause: Alarm) -> bool:
        """Stop the microscope if that is armed; whether it was."""
        if self._outlet.is_armed:
            self._abort(cause)
        return self._outlet.is_armed

    def _obeyed(self, command: Command) -> FinishReason | None:
        match command:
            case Acknowledge():
                self._outlet.acknowledge(command.alarm, command.by)
            case Arm():
                self._outlet.arm(armed=True)
            case Disarm():
                self._outlet.arm(armed=False)
            case Stop():
                return FinishReason.STOPPED
            case Abort():
                self._abort(alarms.asked_to_abort(command.by, command.reason))
                return FinishReason.DRIFT_ABORT
            case _:
                pass
        return None

    def _abort(self, cause: Alarm) -> None:
        self._tell(alarms.aborted(cause, abort(self._section.actions, cause)))
