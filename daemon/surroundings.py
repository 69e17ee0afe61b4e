"""What happens around a run and is nobody's slice: no share, no images or others, a full disk, false books.

Each situation raises one alarm when it begins; it may raise another only after it has ended.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon import alarms, space
from daemon.items import Alarm
from daemon.ledger import Ledger
from daemon.watch import WatchHealth

_QUIET_INTERVALS: Final = 3.0
_LEAST_QUIET_S: Final = 60.0
_UNKNOWN_RHYTHM_S: Final = 1800.0
_FEWEST_INTERVALS: Final = 3


@dataclass(slots=True)
class Surroundings:
    """Looked at once a turn of the loop; ``quiet_after_s`` 0: learned from the run's own rhythm.

    ``expected_slices``, of ``channels`` images each: 0 is unknown. ``clock`` is monotonic, in s.
    """

    output: Path
    expected_slices: int
    channels: int
    quiet_after_s: float
    clock: Callable[[], float]
    _began_s: float | None = None
    _consumption: space.Consumption | None = None
    _on: set[str] = field(default_factory=set[str])

    def look(
        self, health: WatchHealth, books: Ledger, slices: int, intervals_s: Sequence[float], *, arrived: bool
    ) -> list[Alarm]:
        """The alarms of situations that have begun since the last look; ``arrived``: an image has come."""
        if self._began_s is None:
            self._began_s = self.clock()
        away = bool(health.trouble) and not health.share_present
        found = [
            self._begun("share", alarms.unreachable(health.trouble), is_so=away),
            self._begun("sub-folder", alarms.unreachable(health.hidden), is_so=bool(health.hidden)),
            self._begun("pattern", alarms.mismatched(health.mismatch), is_so=bool(health.mismatch)),
            self._standstill(health.found_s_ago, intervals_s, excused=away or self._is_all_there(books)),
            self._begun("books", alarms.unbalanced(books), is_so=bool(books.imbalance)),
        ]
        if arrived:
            found.append(self._filling(slices))
        return [alarm for alarm in found if alarm is not None]

    def _is_all_there(self, books: Ledger) -> bool:
        """The microscope has written what it was asked for, however long it takes to work it off."""
        written = books.processed + books.waiting
        return 0 < self.expected_slices * self.channels <= written

    def _standstill(self, found_s_ago: float, intervals_s: Sequence[float], *, excused: bool) -> Alarm | None:
        """Of the microscope, whose files may lie there for long before they are read."""
        quiet_s = min(found_s_ago, self.clock() - (self._began_s or 0.0))
        limit_s = self.quiet_after_s or _learned_s(intervals_s)
        return self._begun(
            "quiet", alarms.standstill(quiet_s, limit_s), is_so=quiet_s > limit_s and not excused
        )

    def _filling(self, slices: int) -> Alarm | None:
        free = space.free_bytes(self.output)
        if self._consumption is None:
            self._consumption = space.Consumption(free, slices)
        lasts = self._consumption.lasts_for(free, slices)
        left = max(self.expected_slices - slices, 0)
        return self._begun("disk", alarms.filling(lasts, left), is_so=space.is_too_little(lasts, left))

    def _begun(self, name: str, alarm: Alarm, *, is_so: bool) -> Alarm | None:
        """The alarm if its situation is there and was not before."""
        is_new = is_so and name not in self._on
        self._on = self._on | {name} if is_so else self._on - {name}
        return alarm if is_new else None


def _learned_s(intervals_s: Sequence[float]) -> float:
    if len(intervals_s) < _FEWEST_INTERVALS:
        return _UNKNOWN_RHYTHM_S
    return max(_LEAST_QUIET_S, _QUIET_INTERVALS * statistics.median(intervals_s))
