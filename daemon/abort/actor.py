"""The thread that carries out orders, so that a peer that hangs holds up nobody but itself.

The loop hands over an order and takes the steps when it comes by; it writes them into the audit log. An
order for the stop does not wait for a pause request that still hangs: each order has its own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from daemon.abort.act import Means, Step, carry_out
from daemon.abort.orders import Order


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


class Actor:
    """Carries out orders beside the loop; ``reports`` are what has happened since it was last asked."""

    def __init__(self, means_for: Callable[[Order], Means]) -> None:
        self._means_for = means_for
        self._reports: SimpleQueue[Report] = SimpleQueue()

    def begin(self, order: Order, skip: frozenset[int] = frozenset()) -> None:
        """Start carrying out an order; returns at once. ``skip``: actions that are done already."""
        Thread(target=self._carry_out, args=(order, skip), name="abort", daemon=True).start()

    def reports(self) -> list[Report]:
        """What has happened, oldest first."""
        told: list[Report] = []
        try:
            while True:
                told.append(self._reports.get_nowait())
        except Empty:
            return told

    def _carry_out(self, order: Order, skip: frozenset[int]) -> None:
        try:
            for step in carry_out(self._means_for(order), order, skip):
                self._reports.put(Tried(order, step))
        finally:
            self._reports.put(Done(order))
