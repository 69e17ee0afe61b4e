"""What stands between one process and the microscope: it outlives the attempts of the loop.

The loop is begun again when a disk was full; the threads that act, the way of an operator's abort past the
loop, and what is known beside the journal are not.

A run that watches has an open bridge. Reprocessing has a closed one: what drifted months ago must not stop
the microscope, which may be at work on another sample by now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemon import alarms
from daemon.abort.act import Means
from daemon.abort.actor import Actor
from daemon.abort.emergency import Emergency
from daemon.abort.memory import Held
from daemon.abort.note import Note
from daemon.abort.orders import ActionResult, Order, Request
from daemon.config import Configuration
from daemon.errors import WireError
from daemon.requests import Abort, AnyCommand, Arm, Disarm
from daemon.unrecorded import Unrecorded
from daemon.vitals import Vitals

NOTE: Final = "abort-asked.json"


@dataclass(frozen=True, slots=True)
class Bridge:
    """The threads that act, an operator's way to them, the note of it, and what is not on record.

    ``is_open``: whether anything may reach the microscope at all. ``at_once`` is told of every command before
    the loop is: it carries out an abort, or refuses what would reach the microscope.
    """

    is_open: bool
    actor: Actor
    at_once: Callable[[AnyCommand], None]
    note: Note
    held: Held
    unrecorded: Unrecorded

    def close(self) -> None:
        """Carry a stop that has begun to its end."""
        self.actor.close()


def bridge_of(
    configuration: Configuration, output: Path, run: str, vitals: Vitals, unrecorded: Unrecorded
) -> Bridge:
    """The bridge of the run named ``run`` that writes below ``output``."""
    section, email = configuration.abort, configuration.alerts.email

    def means_for(order: Order) -> Means:
        actions = section.pause_actions if order.request is Request.PAUSE else section.actions
        return Means(actions, email, section.attempts, section.retry_wait_s)

    def unheard(order: Order, results: Sequence[ActionResult]) -> None:
        unrecorded.tell(alarms.aborted(order.cause, results))

    actor, note = Actor(means_for, unheard), Note(output / NOTE)
    return Bridge(True, actor, Emergency(run, actor, note, vitals).take, note, Held(), unrecorded)


def closed_bridge(output: Path, unrecorded: Unrecorded) -> Bridge:
    """The bridge of a run that only reprocesses: it has no actions; who arms, disarms or aborts is refused.

    The note of an earlier process stays where it is, for a run that watches.
    """

    def unheard(order: Order, results: Sequence[ActionResult]) -> None:
        unrecorded.tell(alarms.aborted(order.cause, results))

    return Bridge(
        False,
        Actor(lambda _order: Means(()), unheard),
        _refuse_to_act,
        Note(output / NOTE),
        Held(),
        unrecorded,
    )


def _refuse_to_act(command: AnyCommand) -> None:
    match command:
        case Abort():
            remedy = "To stop the microscope, use its own controls; to end the reprocessing, ask for a stop."
        case Arm() | Disarm():
            remedy = "Ask the daemon that watches the microscope ('slicewatch run')."
        case _:
            return
    raise WireError(
        "this daemon reprocesses an acquisition that is over, and has no way to the microscope",
        where="control",
        remedy=remedy,
    )
