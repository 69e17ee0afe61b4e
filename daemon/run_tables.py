"""The tables of a run, kept up to date with its journal (**contract**, DESIGN §4).

They are projections of the journal: of the records of a commit, only the rows that they touch and those
behind are written again. What could not be written, because the disk was full, is made up for next time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from daemon.growing_table import GrowingTable
from daemon.journal import FIRST_KEY, Journal, Record
from daemon.outputs import Outputs
from daemon.parquet import parquet_table
from daemon.records import ligament_rows, metric_rows, slice_rows
from daemon.tables import LIGAMENT_COLUMNS, METRIC_COLUMNS, slice_columns
from daemon.thickness_figures import scored
from daemon.volume_store import replace_file

_OF_SLICES: Final = ("slice", "thickness")
_OF_PLANES: Final = ("metrics",)
_OF_LIGAMENTS: Final = ("ligaments",)
_EVERYTHING: Final = dict.fromkeys((*_OF_SLICES, *_OF_PLANES, *_OF_LIGAMENTS), FIRST_KEY)


class RunTables:
    """``slices.csv``, ``metrics.csv`` and ``ligaments.csv`` of one run, which it writes whole at first."""

    def __init__(self, outputs: Outputs, channels: Sequence[str], outlier_z: float) -> None:
        self._outputs = outputs
        self._outlier_z = outlier_z
        self._columns = slice_columns(channels)
        self._slices = GrowingTable(outputs.slices, self._columns)
        self._planes = GrowingTable(outputs.metrics, METRIC_COLUMNS)
        self._ligaments = GrowingTable(outputs.ligaments, LIGAMENT_COLUMNS)
        self._stale = dict(_EVERYTHING)

    def project(self, journal: Journal, records: Iterable[Record] = ()) -> None:
        """Write what ``records``, which the journal holds by now, have changed.

        Raises
        ------
        StoreError
            The disk is full or read-only.
        """
        for record in records:
            if record.kind in _OF_SLICES + _OF_PLANES + _OF_LIGAMENTS:
                self._stale[record.kind] = min(record.key, self._stale.get(record.kind, record.key))
        if (first := self._first_stale(self._slices, _OF_SLICES)) is not None:
            self._slices.replace_from(first, _keyed(slice_rows(journal, first), "slice"))
        if (first := self._first_stale(self._planes, _OF_PLANES)) is not None:
            self._planes.replace_from(first, _keyed(metric_rows(journal, first), "plane"))
        if self._first_stale(self._ligaments, _OF_LIGAMENTS) is not None:
            self._ligaments.replace_from(FIRST_KEY, enumerate(ligament_rows(journal)))
        self._stale.clear()

    def finish(self, journal: Journal) -> None:
        """Write the tables whole, whatever was done to them, and ``slices.parquet``, which cannot grow.

        Each slice's z-score is known now: it depends on the thickness of all.

        Raises
        ------
        StoreError
            The disk is full or read-only.
        """
        self._stale = dict(_EVERYTHING)
        self.project(journal)
        rows = scored(slice_rows(journal), self._outlier_z)
        self._slices.replace_from(FIRST_KEY, _keyed(rows, "slice"))
        replace_file(self._outputs.slices_parquet, parquet_table(self._columns, rows))

    def _first_stale(self, table: GrowingTable, kinds: Sequence[str]) -> int | None:
        """From which key on a table has to be written; None if it is there and nothing of it has changed."""
        stale = [self._stale[kind] for kind in kinds if kind in self._stale]
        return min(stale, default=None) if table.is_whole else FIRST_KEY


def _keyed(rows: Iterable[dict[str, Any]], column: str) -> Iterable[tuple[int, dict[str, Any]]]:
    return ((row[column], row) for row in rows)
