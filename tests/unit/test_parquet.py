"""Parquet files of our tables hold their rows, by the format's structure and by pyarrow."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from daemon.parquet import parquet_table

ROWS: list[dict[str, Any]] = [
    {"slice": 1, "status": "final", "depth_nm": 0.0, "z": None},
    {"slice": 2, "status": "gap", "depth_nm": math.nan, "z": None},
    {"slice": -3, "status": "", "depth_nm": -2.5e-7, "z": None},
    {"slice": 2**40, "status": "Dünn ½", "z": None},
]
COLUMNS = ("slice", "status", "depth_nm", "z")


def test_frame_of_the_file():
    """Magic at both ends and a footer whose length is given before the last."""
    data = parquet_table(COLUMNS, ROWS, created_by="-")
    (length,) = struct.unpack("<I", data[-8:-4])
    assert (data[:4], data[-4:]) == (b"PAR1", b"PAR1")
    assert 0 < length < len(data) - 12
    footer = data[-8 - length : -8]
    assert footer[-1] == 0
    for name in COLUMNS:
        assert footer.count(bytes([len(name)]) + name.encode()) == 2


def test_pages_hold_the_known_values_in_order():
    """Texts and doubles lie in the file as they are, those that are missing do not."""
    data = parquet_table(COLUMNS, ROWS)
    texts = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in ("final", "gap", "", "Dünn ½"))
    assert texts in data
    assert struct.pack("<2d", 0.0, -2.5e-7) in data
    assert struct.pack("<4q", 1, 2, -3, 2**40) in data


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_pyarrow_reads_what_was_written(tmp_path: Path, count: int) -> None:
    """The reference implementation gives the same rows, missing numbers as null, with the right types."""
    rows = [{**ROWS[k % 4], "slice": k} for k in range(count)]
    path = tmp_path / "t.parquet"
    path.write_bytes(parquet_table(COLUMNS, rows))
    table = parquet.read_table(path)
    assert table.column_names == list(COLUMNS)
    clean = [{name: row.get(name) for name in COLUMNS} for row in rows]
    for row in clean:
        if row["depth_nm"] is not None and math.isnan(row["depth_nm"]):
            row["depth_nm"] = None
    assert table.to_pylist() == clean
    if count:
        assert [str(field.type) for field in table.schema] == ["int64", "string", "double", "double"]
