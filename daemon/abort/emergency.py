"""An operator's abort, on its way past the loop: from the thread that answers requests to the microscope.

The loop finds the command in its inbox when it comes by, decides the same, and puts what the actor has done
on record. Until then heartbeats tell that the microscope is being stopped.
"""

from __future__ import annotations

import structlog

from daemon import alarms
from daemon.abort.actor import Actor
from daemon.abort.note import Note
from daemon.abort.orders import Order, Request
from daemon.abort.policy import Stage
from daemon.errors import WireError
from daemon.messages import EscalationDescription
from daemon.requests import Abort, AnyCommand
from daemon.vitals import Vitals

_log = structlog.get_logger("slicewatch")


class Emergency:
    """Stops the microscope of one run at once."""

    def __init__(self, run: str, actor: Actor, note: Note, vitals: Vitals) -> None:
        self._run = run
        self._actor = actor
        self._note = note
        self._vitals = vitals

    def take(self, command: AnyCommand) -> None:
        """Carry out an abort; other commands wait for the loop.

        Raises
        ------
        WireError
            Every action has been tried already.
        """
        if isinstance(command, Abort):
            self._abort(command)

    def _abort(self, command: Abort) -> None:
        """Begin to stop the microscope; who asks while it is being stopped joins in."""
        if self._actor.stop_is_done:
            raise WireError(
                "every abort action has been tried already",
                where="control",
                remedy="An alarm says what came of it; if that is NOT CONFIRMED, stop it by hand.",
            )
        cause = alarms.asked_to_abort(command.by, command.reason)
        if self._actor.begin(Order(Request.STOP, self._run, "", cause)):
            _log.warning("abort.at_once", by=command.by, key=command.key, reason=command.reason)
            self._vitals.escalation = EscalationDescription(stage=str(Stage.ABORTING), cause=cause.message)
            self._note.write(command)
