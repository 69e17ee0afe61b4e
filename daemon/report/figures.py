"""All figures of a report, by name, in the order of the page."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

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
    "earlier": pictures.earlier,
    "cuts": pictures.cuts,
    "surface": pictures.surface,
    "metrics": charts.metrics,
    "ligaments": charts.ligaments,
}
_NO_DATE: Final[dict[str, Any]] = {"Date": None, "Creator": "slicewatch"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as files: PNG for screens, SVG for publications."""

    png: bytes
    svg: bytes


def all_figures(contents: Contents) -> dict[str, Drawn]:
    """Every figure the run has data for."""
    with mpl.rc_context(RC):
        drawn = {name: make(contents) for name, make in MAKERS.items()}
        return {name: as_files(figure) for name, figure in drawn.items() if figure is not None}


def as_files(figure: Figure) -> Drawn:
    """A figure in both formats."""
    return Drawn(_file(figure, "png", {}), _file(figure, "svg", _NO_DATE))


def _file(figure: Figure, kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, bbox_inches="tight", pad_inches=0.08, metadata=metadata)
    # Laid out once: the next file has everything in the same place, and is sooner done.
    figure.set_layout_engine("none")
    return buffer.getvalue()
