"""``slicewatch compare``: two runs over one acquisition, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from daemon.compare.agreement import agreement
from daemon.compare.figures import all_figures
from daemon.compare.finished import read_finished
from daemon.compare.lines import Line, Value
from daemon.tables import known


def compare(first: Path, second: Path) -> list[Line]:
    """Every line of the comparison of two output folders.

    Raises
    ------
    FolderError, JournalError
        One of them is not what a finished run has left.
    """
    one, other = read_finished(first), read_finished(second)
    return [*all_figures(one, other), *agreement(one, other)]


def print_comparison(first: Path, second: Path, *, as_json: bool) -> None:
    """Show it; differences are B less A."""
    lines = compare(first, second)
    console = Console(highlight=False)
    if as_json:
        told = {"first": str(first), "second": str(second), "lines": [asdict(line) for line in lines]}
        console.print(json.dumps(known(told)), soft_wrap=True, markup=False)
        return
    console.print(f"A: {first}\nB: {second}", markup=False, soft_wrap=True)
    console.print(comparison_table(lines))


def comparison_table(lines: Sequence[Line]) -> Table:
    """A section for each subject."""
    right = Column("B − A, or of both", justify="right")
    table = Table("", "figure", Column("A", justify="right"), Column("B", justify="right"), right, "")
    for section, group in groupby(lines, key=lambda line: line.section):
        table.add_section()
        for number, line in enumerate(group):
            cells = (Text(_shown(value)) for value in (line.first, line.second, line.difference))
            table.add_row(section if number == 0 else "", Text(line.figure), *cells, line.unit)
    return table


def _shown(value: Value) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.5g}" if isfinite(value) else "–"
        case _:
            return str(value)
