"""The first image with everything that was found drawn on it, so that a person can judge it at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from algorithms.calibration_bars import Bar
from daemon.calibrate.proposal import Proposal
from daemon.errors import StoreError

_PARALLEL: Final = "#56B4E9"
_INCLINED: Final = "#E69F00"
_FIDUCIAL: Final = "#F0E442"
_REGION: Final = "#009E73"
_DPI: Final = 120


def draw(proposal: Proposal, path: Path) -> None:
    """Write a PNG of the first reference image with fiducials, ruler and region of interest on it.

    Raises
    ------
    StoreError
        The picture cannot be written.
    """
    image = proposal.first.image
    height, width = image.shape
    size_in = max(width / _DPI, 6.0)
    figure = Figure(figsize=(size_in, size_in * height / width), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(image, cmap="gray", interpolation="nearest")
    axes.set(xlabel="x / px", ylabel="y / px")
    _draw_ruler(axes, proposal)
    _draw_fiducials(axes, proposal)
    if proposal.roi is not None:
        roi = proposal.roi
        _box(axes, (roi.x, roi.y, roi.width, roi.height), _REGION, "region of interest")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=_DPI, format="png")
    except OSError as error:
        raise StoreError(
            f"the picture cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Give a path in a folder that can be written.",
        ) from error


def _draw_ruler(axes: Axes, proposal: Proposal) -> None:
    """Every mark as a box; an inclined one with an arrow to where it travels."""
    ruler = proposal.ruler
    if ruler is None:
        return
    for bar, direction in zip(ruler.bars, ruler.travel.directions, strict=True):
        colour = _INCLINED if direction else _PARALLEL
        _box(axes, _bounds(bar), colour, "inclined" if direction else "parallel")
        if direction:
            middle = (bar.y0_px + bar.y1_px) / 2
            tip = bar.x_px + 1.5 * direction * bar.width_px
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.8}
            axes.annotate("", (tip, middle), (bar.x_px, middle), arrowprops=arrow)


def _draw_fiducials(axes: Axes, proposal: Proposal) -> None:
    for fiducial in proposal.fiducials:
        region = fiducial.region
        place = "surface" if region.surface else "face"
        box = (region.x_px, region.y_px, region.width_px, region.height_px)
        _box(axes, box, _FIDUCIAL, f"fiducial, {place}")
        axes.plot([fiducial.cross.x_px], [fiducial.cross.y_px], "+", color=_FIDUCIAL, ms=12)


def _bounds(bar: Bar) -> tuple[float, float, float, float]:
    return bar.x_px - bar.width_px / 2, bar.y0_px, bar.width_px, bar.y1_px - bar.y0_px


def _box(axes: Axes, bounds: tuple[float, float, float, float], colour: str, name: str) -> None:
    """A rectangle (x, y, width, height) in px with its name inside its lower edge."""
    x, y, width, height = bounds
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=colour, lw=1.6))
    plate = {"fc": "black", "ec": "none", "alpha": 0.6, "pad": 1.0}
    axes.text(x + 2, y + height - 3, name, color=colour, fontsize=7, va="bottom", bbox=plate)
