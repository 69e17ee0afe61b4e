"""Files on their way into the loop: one at a time, counted as in hand until the loop has decided on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from daemon.assembly import MoveOn, Tick
from daemon.assembly_state import AssemblyState, Tally
from daemon.back_pressure import Window, window
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

    def next(self, patience_s: float, state: AssemblyState) -> Iterator[Arrival]:
        """Files that were given up, and at most one that is complete; waits for that so long.

        While too many slices wait for an image, only files that may complete one are read.
        """
        return self._taken(patience_s, 1, window(state))

    def silence(self, state: AssemblyState, *, follow: bool) -> Tick | MoveOn:
        """Nothing came: time passes, but nobody is late while files arrive, or while the folder is away."""
        if not follow and self.blocked(state):
            return MoveOn()
        unread = self.watcher.takeable(window(state)) + self.watcher.arriving
        return Tick(unread, away=not self.watcher.health.share_present)

    def blocked(self, state: AssemblyState) -> bool:
        """Whether files are left and none may be read before the oldest slice is decided."""
        return self.watcher.left and not self.watcher.takeable(window(state))

    def close(self) -> None:
        """Nothing more is to come: look at everything a last time."""
        self.watcher.stop()
        self.watcher.look_at_all()

    def books(self, tally: Tally) -> Ledger:
        """The ledger at this moment."""
        seen, untaken = self.watcher.counts
        return ledger(seen, untaken, self.in_hand, tally)

    def _taken(self, patience_s: float, limit: int, wanted: Window) -> Iterator[Arrival]:
        given_up = self.watcher.take_given_up()
        ready = self.watcher.take(patience_s, limit, wanted)
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
