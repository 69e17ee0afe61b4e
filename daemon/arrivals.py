"""Files on their way into the loop: one at a time, counted as in hand until the loop has decided on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Final

from daemon.assembly import FileRejected, FrameArrived, MoveOn, Tick
from daemon.assembly_state import AssemblyState, Tally
from daemon.back_pressure import Window, window
from daemon.frame_shelf import Arrival, FrameShelf
from daemon.items import FileReady
from daemon.ledger import Ledger, ledger
from daemon.reader import FileAwayError
from daemon.watch import Watcher

Happening = Arrival | tuple[Tick | MoveOn, None]
_ARRIVING_S: Final = 10.0
"""Copies pause less between two files, and a microscope that mills pauses longer between two slices."""


@dataclass(slots=True)
class Arrivals:
    """What the watcher found, as events; ``in_hand`` files were taken and not yet given to the loop.

    ``read`` gives the event of a file and its bytes, as ``daemon.intake.read_event`` does.
    """

    watcher: Watcher
    shelf: FrameShelf
    read: Callable[[FileReady], tuple[FrameArrived | FileRejected, bytes]]
    in_hand: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether the folder has been looked at and holds nothing that may still be read."""
        return isfinite(self.watcher.health.scanned_s_ago) and not self.watcher.unread

    def next(self, patience_s: float, state: AssemblyState, *, follow: bool) -> Iterator[Happening]:
        """Files that were given up, and at most one that is complete; waits for that so long.

        If none came, that time passes, or else, unless more is to ``follow``, that the oldest slice is to be
        decided. While too many slices wait for an image, only files that may complete one are read.
        """
        wanted, came = window(state), False
        for arrival in self._taken(patience_s, wanted):
            yield arrival
            came = True
        if not came:
            yield self._silence(wanted, follow=follow), None

    def _silence(self, wanted: Window, *, follow: bool) -> Tick | MoveOn:
        unread = self.watcher.takeable(wanted)
        if self.watcher.left and not (unread or follow):
            return MoveOn()
        health = self.watcher.health
        return Tick(unread, away=not health.share_present, arriving=health.found_s_ago < _ARRIVING_S)

    def close(self) -> None:
        """Nothing more is to come: look at everything a last time."""
        self.watcher.stop()
        self.watcher.look_at_all()

    def books(self, tally: Tally) -> Ledger:
        """The ledger at this moment."""
        seen, untaken = self.watcher.counts
        return ledger(seen, untaken, self.in_hand, tally)

    def _taken(self, patience_s: float, wanted: Window) -> Iterator[Arrival]:
        given_up = self.watcher.take_given_up()
        ready = self.watcher.take(patience_s, 1, wanted)
        self.in_hand = len(given_up) + len(ready)
        for file in given_up:
            self.in_hand -= 1
            yield self.shelf.give_up(file)
        for file in ready:
            self.in_hand -= 1
            try:
                arrival = self.shelf.keep(file, *self.read(file))
            except FileAwayError:
                self.watcher.put_back(file)
                continue
            yield arrival
