"""docs/security.md claims nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TABLE = TEXT.partition("## What is protected against whom")[2].partition("\n## ")[0]
ROWS = [line.strip("|").split("|") for line in TABLE.splitlines() if line.startswith("|")][2:]
FILES = re.compile(r"tests/[\w/]+\.py")
TESTS = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def functions_of(path: Path) -> set[str]:
    """The functions of a file that pytest would run, were none skipped."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in found if node.name.startswith("test_")}


def test_the_table_is_there() -> None:
    """Its rows are found, and each has its four cells."""
    assert len(ROWS) >= 20
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0].strip()}, {row[1].strip()}"[:60] for row in ROWS])
def test_a_row_names_tests_that_exist(row: list[str]) -> None:
    """By file and function, one at least; a file alone would go on to be named when the test has gone."""
    shown_by = TESTS.findall(row[3])
    assert len(shown_by) == len(FILES.findall(row[3])) > 0
    missing = [f"{file}::{name}" for file, name in shown_by if name not in functions_of(ROOT / file)]
    assert missing == []
