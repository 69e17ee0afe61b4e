"""All figures of a report, by name, in the order of the page."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from daemon.report import charts, pictures
from daemon.report.contents import Contents
from daemon.report.style import RC

MAKERS: Final[dict[str, Callable[[Contents], Figure | None]]] = {
    "thickness": charts.thickness,
    "drift": charts.drift,
    "registration": charts.registration,
    "faces": pictures.faces,
    "cuts": pictures.cuts,
    "metrics": charts.metrics,
    "ligaments": charts.ligaments,
}


def all_figures(contents: Contents) -> dict[str, bytes]:
    """Every figure the run has data for as PNG."""
    with mpl.rc_context(RC):
        drawn = {name: make(contents) for name, make in MAKERS.items()}
        return {name: _png(figure) for name, figure in drawn.items() if figure is not None}


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()
