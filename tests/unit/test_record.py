"""The page of measurements: whatever a benchmark returns can be kept and read again."""

from __future__ import annotations

import json
import math
from pathlib import Path

from benchmarks.record import keep


def test_whole_fractional_and_unknown_figures_are_kept(tmp_path: Path) -> None:
    """An int, a float and a NaN of one benchmark, on the page and in the record."""
    record = tmp_path / "performance.json"
    keep("calibrate", {"found": 20, "share": 0.98764, "unknown": math.nan}, 1.0, record)
    page = record.with_suffix(".md").read_text(encoding="utf-8")
    assert "| `found` | 20 |" in page
    assert "| `share` | 0.9876 |" in page
    assert "| `unknown` | – |" in page
    assert json.loads(record.read_text())["calibrate"]["figures"]["unknown"] is None
