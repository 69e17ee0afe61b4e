"""Figures and tables in Markdown, as every section of the results has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from models.evaluation import HeldOut

NOTHING: Final = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, a line for each row."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join((lines[0], "|---" * len(head) + "|", *lines[1:]))


def scores_told(scores: Sequence[float]) -> str:
    """MP %, MGP % and mean Dice."""
    return f"{scores[0]:.3f} / {scores[1]:.2f} / {scores[2]:.4f}" if scores else NOTHING


def three_told(errors: Iterable[float]) -> str:
    """The three errors of anisotropy."""
    return " / ".join(f"{error:.4f}" for error in errors)


def runs_told(size: HeldOut) -> str:
    """How many runs of which size."""
    return f"{size.runs} × {size.slices} slices of {size.height} × {size.width} px"
