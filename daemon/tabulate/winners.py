"""Names what comes out best in a column of a table, and where the late fusion, the daemon's own, stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OURS: Final = "late_fusion"


def told_winner(column: Mapping[str, float], truth: float = 0.0, ours: str = OURS, digits: int = 3) -> str:
    """The row whose figure is nearest to the truth, and ``ours`` beside it where that is another.

    Rows whose figures look alike at ``digits`` decimals share the place.
    """
    best = min(column.values(), key=lambda figure: _distance(figure, truth, digits))
    winners = [
        name
        for name, figure in column.items()
        if _distance(figure, truth, digits) == _distance(best, truth, digits)
    ]
    told = " and ".join(f"`{name}` ({column[name]:.{digits}f})" for name in winners)
    return told if ours in winners or ours not in column else f"{told}; `{ours}` {column[ours]:.{digits}f}"


def told_winners(
    columns: Mapping[str, Mapping[str, float]], truths: Mapping[str, float] | None = None, digits: int = 3
) -> str:
    """A line of Markdown for each column of a table, by its heading; truths are 0 unless they are given."""
    return "\n".join(
        f"- {heading}: {told_winner(column, (truths or {}).get(heading, 0.0), digits=digits)}"
        for heading, column in columns.items()
    )


def _distance(figure: float, truth: float, digits: int) -> float:
    return abs(round(figure, digits) - round(truth, digits))
