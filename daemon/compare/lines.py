"""A line of a comparison, and the two kinds of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of both runs: ``first``, ``second``, and how they differ, in ``unit``.

    Of a figure that belongs to both together, such as the rms of differences, only ``difference`` is there.
    """

    section: str
    figure: str
    first: Value = None
    second: Value = None
    difference: float | None = None
    unit: str = ""


def side_by_side(section: str, figure: str, first: float, second: float, unit: str = "") -> Line:
    """Two numbers, NaN for an unknown one, and the second less the first."""
    return Line(section, figure, first, second, second - first, unit)


def said(section: str, figure: str, first: object, second: object) -> Line:
    """Two things that are no measurements."""
    return Line(section, figure, str(first), str(second))


def number(text: object) -> float:
    """A number as tables and summaries have it; NaN for an empty or absent one."""
    return nan if text is None or text == "" else float(str(text))
