"""docs/security.md claims nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table of threats, its head left out."""
    table = TEXT.partition("## What is protected against whom")[2].partition("\n## ")[0]
    return [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]


def test_every_row_names_a_test_that_exists() -> None:
    """And no row goes without one."""
    assert len(rows()) >= 12
    for row in rows():
        shown_by = re.findall(r"`(tests/[\w/]+\.py)`", row[3])
        assert shown_by, row[1]
        assert all((ROOT / name).is_file() for name in shown_by), row[1]
