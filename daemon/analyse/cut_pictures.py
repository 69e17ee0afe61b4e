"""Pictures of the cut z, x through the middle: phases with inner pores, and the length of the way out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from daemon.analyse.results import Analysis
from daemon.report.style import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, WIDTH_IN

OUTSIDE: Final = "#eef0f3"
SOLIDS: Final = ("#8a93a0", ORANGE, GREEN, PURPLE, RED, SKY)
_TALLEST_IN: Final = 5.0


def cut_pictures(analysis: Analysis) -> Figure:
    """Phases beside, for each phase that leads, how much longer than straight the way to the far face is."""
    lengths = [np.asarray(one) for one in analysis.cuts.lengths]
    shown = [
        (one, cut) for one, cut in zip(analysis.transports, lengths, strict=True) if np.isfinite(cut).any()
    ]
    z, _, x = analysis.shape
    width = WIDTH_IN / (1 + len(shown))
    figure = Figure(figsize=(WIDTH_IN, min(_TALLEST_IN, 0.8 * width * z / x + 1.7)), layout="constrained")
    phases, *maps = figure.subplots(1, 1 + len(shown), squeeze=False)[0]
    figure.legend(handles=_phases(phases, analysis), loc="outside lower left", ncols=8)
    for panel, (transport, cut) in zip(maps, shown, strict=True):
        _detours(figure, panel, analysis, transport.phase, cut)
    return figure


def _phases(panel: Axes, analysis: Analysis) -> list[Patch]:
    """Phases, the inner pores apart from what the rolling ball reaches; what the colours mean."""
    classes = analysis.cuts.labels.astype(np.int64) + 1
    classes[analysis.cuts.outside] = 0
    solids = [one.phase for one in analysis.phases if one.phase]
    colours = [OUTSIDE, BLUE, *(SOLIDS[(phase - 1) % len(SOLIDS)] for phase in solids)]
    names = ["outside", "inner pore" if analysis.shells else "pore", *(f"phase {phase}" for phase in solids)]
    panel.imshow(
        classes,
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(colours) - 1,
        interpolation="nearest",
        extent=_extent(analysis),
    )
    there = np.unique(classes)
    panel.set_title("phases")
    _axes(panel)
    return [Patch(fc=colours[one], ec="#9aa1ab", lw=0.4, label=names[one]) for one in there]


def _detours(figure: Figure, panel: Axes, analysis: Analysis, phase: int, cut: Any) -> None:
    """Path length over the straight distance to the last plane; the last planes, where it jumps, are left
    out."""
    straight = np.arange(len(cut) - 1, -1, -1, dtype=np.float64)[:, None]
    usable = np.isfinite(cut) & (straight >= max(1.0, 0.05 * len(cut)))
    tau = np.where(usable, cut / np.maximum(straight, 1.0), np.nan)
    known = tau[np.isfinite(tau)]
    high = float(np.quantile(known, 0.99)) if known.size else 1.1
    image = panel.imshow(tau, cmap="viridis", vmin=1.0, vmax=max(high, 1.01), interpolation="nearest",
                         extent=_extent(analysis))  # fmt: skip
    panel.set_facecolor("#d9dce1")
    panel.set_title(f"phase {phase}: detours along z")
    figure.colorbar(image, ax=panel, orientation="horizontal", label="path to the far face over straight")
    _axes(panel)


def _extent(analysis: Analysis) -> tuple[float, float, float, float]:
    z, _, x = analysis.shape
    return 0.0, x * analysis.voxel_nm, z * analysis.voxel_nm, 0.0


def _axes(panel: Axes) -> None:
    panel.set(xlabel="x (nm)", ylabel="z (nm)", anchor="N")
    panel.grid(visible=False)
