"""Files on their way into the loop: one at a time, counted as in hand until the loop has decided on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from daemon.assembly_state import Tally
from daemon.frame_shelf import Arrival, FrameShelf
from daemon.ledger import Ledger, ledger
from daemon.reader import FileAwayError
from daemon.watch import Watcher


@dataclass(slots=True)
class Arrivals:
    """What the watcher found, as events; ``in_hand`` files were taken and not yet given to the loop."""

    watcher: Watcher
    shelf: FrameShelf
    in_hand: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether the folder has been looked at and holds nothing that may still be read."""
        return isfinite(self.watcher.health.scanned_s_ago) and not self.watcher.unread

    def next(self, patience_s: float) -> Iterator[Arrival]:
        """Files that were given up, and at most one that is complete; waits for that so long."""
        return self._taken(patience_s, 1)

    def last(self) -> Iterator[Arrival]:
        """Everything that is left once nothing more is to come: each file is in the books when this ends."""
        self.watcher.stop()
        self.watcher.look_at_all()
        return self._taken(0.0, None)

    def books(self, tally: Tally) -> Ledger:
        """The ledger at this moment."""
        seen, untaken = self.watcher.counts
        return ledger(seen, untaken, self.in_hand, tally)

    def _taken(self, patience_s: float, limit: int | None) -> Iterator[Arrival]:
        given_up = self.watcher.take_given_up()
        ready = self.watcher.take(patience_s, limit)
        self.in_hand = len(given_up) + len(ready)
        for file in given_up:
            self.in_hand -= 1
            yield self.shelf.give_up(file)
        for file in ready:
            self.in_hand -= 1
            try:
                arrival = self.shelf.read(file)
            except FileAwayError:
                self.watcher.put_back(file)
                continue
            yield arrival
