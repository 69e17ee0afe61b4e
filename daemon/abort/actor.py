"""The threads that carry out orders, so that a peer that hangs holds up nobody but itself.

Whoever decides hands over an order, and the loop takes the steps when it comes by; it writes them into the
audit log. The thread for the stop stands ready from the start, and descriptors for what it opens: a process
that is out of them can still stop the microscope, and the stop does not wait for a pause request that hangs.
A process stops the microscope once, however many ask for it: a second order for the stop joins the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Final

from daemon.abort.act import Means, Step, carry_out
from daemon.abort.orders import ActionResult, Order, Request
from daemon.abort.reserve import Reserve

_HEARD_WITHIN_S: Final = 2.0
"""So long after a stop the loop may take to come by; then what became of it is told without it."""


@dataclass(frozen=True, slots=True)
class Done:
    """All actions of an order have been tried."""

    order: Order


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt at one action of an order."""

    order: Order
    step: Step


Report = Tried | Done
Work = tuple[Order, frozenset[int]]


class Actor:
    """Carries out orders beside the loop, for as long as the process lives.

    ``reports`` are what has happened and is not on record yet. ``unheard`` is called, on the thread of the
    stop, with what became of a stop that the loop has not put on record in time.
    """

    def __init__(
        self,
        means_for: Callable[[Order], Means],
        unheard: Callable[[Order, Sequence[ActionResult]], None],
        heard_within_s: float = _HEARD_WITHIN_S,
    ) -> None:
        self._means_for = means_for
        self._unheard = unheard
        self._heard_within_s = heard_within_s
        self._changed = Condition()
        self._reports: list[Report] = []
        self._stop_is_begun = False
        self._stop_is_done = False
        self._stops: SimpleQueue[Work | None] = SimpleQueue()
        self._reserve = Reserve()
        self._thread = Thread(target=self._stand_by, name="abort", daemon=True)
        self._thread.start()

    @property
    def stop_is_done(self) -> bool:
        """Whether every action of a stop has been tried."""
        with self._changed:
            return self._stop_is_done

    @property
    def is_stopping(self) -> bool:
        """Whether a stop has begun and is not done."""
        with self._changed:
            return self._stop_is_begun and not self._stop_is_done

    def begin(self, order: Order, skip: frozenset[int] = frozenset()) -> bool:
        """Start carrying out an order, and return at once; whether it is not under way already.

        ``skip``: actions that are done already.
        """
        if order.request is not Request.STOP:
            self._begin_pause(order, skip)
            return True
        with self._changed:
            is_new = not self._stop_is_begun
            self._stop_is_begun = True
        if is_new:
            self._stops.put((order, skip))
        return is_new

    def reports(self) -> list[Report]:
        """What has happened and is not on record, oldest first."""
        with self._changed:
            return list(self._reports)

    def recorded(self, count: int) -> None:
        """The oldest ``count`` reports are on record now."""
        with self._changed:
            del self._reports[:count]
            self._changed.notify_all()

    def wait(self, patience_s: float) -> None:
        """Until something has happened, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._reports), patience_s)

    def close(self) -> None:
        """Carry a stop that has begun to its end, then let the thread go."""
        self._stops.put(None)
        self._thread.join()

    def _stand_by(self) -> None:
        work = self._stops.get()
        self._reserve.release()
        if work is None:
            return
        order, _ = work
        results = self._carry_out(*work)
        with self._changed:
            self._stop_is_done = True
            heard = self._changed.wait_for(lambda: not self._reports, self._heard_within_s)
        if not heard:
            self._unheard(order, results)

    def _begin_pause(self, order: Order, skip: frozenset[int]) -> None:
        try:
            Thread(target=self._carry_out, args=(order, skip), name="pause", daemon=True).start()
        except RuntimeError:  # no thread to be had: without a step it counts as not confirmed
            self._report(Done(order))

    def _carry_out(self, order: Order, skip: frozenset[int]) -> list[ActionResult]:
        results: list[ActionResult] = []
        try:
            for step in carry_out(self._means_for(order), order, skip):
                results += [step.result] if step.last else []
                self._report(Tried(order, step))
        finally:
            self._report(Done(order))
        return results

    def _report(self, report: Report) -> None:
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()
