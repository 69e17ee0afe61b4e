"""The books of a run: every version of every file is processed, quarantined, ignored, or waiting.

``seen`` is counted by the watcher when it finds a version; the other numbers are counted where the version
ends up. They are independent, so a lost file shows as an imbalance instead of vanishing from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.assembly_state import Tally


@dataclass(frozen=True, slots=True)
class Ledger:
    """Versions of files; ``waiting`` are unfinished, not yet taken, being read, or in an undecided slice."""

    seen: int
    processed: int
    quarantined: int
    ignored: int
    waiting: int

    @property
    def imbalance(self) -> int:
        """Files unaccounted for (positive) or counted twice (negative); 0 when the books balance."""
        return self.seen - self.processed - self.quarantined - self.ignored - self.waiting


def ledger(seen: int, untaken: int, in_hand: int, tally: Tally) -> Ledger:
    """The books at this moment.

    ``seen`` and ``untaken`` are the watcher's ``seen`` and ``waiting``; ``in_hand`` are files that were taken
    but not yet given to ``assemble.step``.
    """
    waiting = untaken + in_hand + tally.waiting
    return Ledger(seen, tally.processed, tally.quarantined, tally.ignored, waiting)
