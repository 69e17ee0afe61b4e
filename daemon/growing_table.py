"""A table on disk that gets longer: settled rows are copied as bytes, only what has changed is written anew.

So a row costs as much at slice 2000 as at slice 20: the rows before it are neither fetched nor formatted
again. The file is replaced whole, so that a reader never sees half a table, and has the same bytes as if
it had been written in one go.
"""

from __future__ import annotations

import csv
import io
import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from daemon.volume_store import replacing

Row = Mapping[str, Any]
_COPIED_BYTES: Final = 1 << 16


class GrowingTable:
    """A CSV file whose rows have growing integer keys."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = tuple(columns)
        self._header = _line(self._columns)
        self._keys = array("q")
        self._ends = array("q")  # of each row in the file, bytes

    @property
    def is_whole(self) -> bool:
        """Whether the file is there and as long as it was left."""
        end = self._ends[-1] if self._ends else len(self._header)
        return self._path.is_file() and self._path.stat().st_size == end

    def replace_from(self, key: int, rows: Iterable[tuple[int, Row]]) -> None:
        """Keep the rows below ``key``, and let ``rows``, in the order of their keys, be all that follow.

        Raises
        ------
        StoreError
            The disk is full or read-only; the file stays as it was.
        """
        kept = bisect_left(self._keys, key)
        keys, ends = self._keys[:kept], self._ends[:kept]
        with replacing(self._path) as file:
            if kept:
                _copy_beginning(self._path, ends[-1], file)
            else:
                file.write(self._header)
            for row_key, row in rows:
                file.write(_line([_field(row.get(column)) for column in self._columns]))
                keys.append(row_key)
                ends.append(file.tell())
        self._keys, self._ends = keys, ends


def _copy_beginning(path: Path, length: int, target: BinaryIO) -> None:
    with path.open("rb") as source:
        while length > 0 and (part := source.read(min(length, _COPIED_BYTES))):
            target.write(part)
            length -= len(part)


def _line(fields: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode("utf-8")


def _field(value: Any) -> str:
    """Floats with six decimals: 10⁻⁶ nm and px are far below what any microscope resolves."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)
