"""The pictures of synthesized structures and slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from algorithms.volume_figures import MetricFigures
from daemon.report.style import BLUE, GREEN, GREY, ORANGE, RC
from daemon.synthesize.designs import Specimen
from daemon.volume_store import replace_file

Numbers = NDArray[np.float64]
Learned = Callable[[float, Numbers], Numbers]
PHASE_COLOURS: Final = ListedColormap(["#1b1d22", "#e3b341", "#5b8bb0"])
AXES: Final = (("x", BLUE), ("y", ORANGE), ("z", GREEN))


def draw_structure(specimen: Specimen, report: dict[str, Any], measured: MetricFigures, path: Path) -> None:
    """Two sections, correlation functions, anisotropy by size, and the table of asked and obtained."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(12, 7.2))
        (face, side, words), (tpcf, lpf, size) = figure.subplots(2, 3)
        _section(face, specimen, 0, ("x", "y"))
        _section(side, specimen, 1, ("x", "z"))
        _table(words, report)
        lag_nm = np.arange(measured.tpcf.shape[1]) * measured.voxel_nm
        _curves(tpcf, lag_nm, measured.tpcf, "two-point correlation of phase 1")
        _curves(lpf, lag_nm, measured.lpf, "lineal path of phase 1")
        rows = report["e_lpf_by_size"]
        size.plot([row["edge_nm"] for row in rows], [row["e_lpf"] for row in rows], "o-", color=BLUE)
        size.set(title="anisotropy of a finite sample", xlabel="edge of the cube (nm)", ylabel="mean e_LPF")
        size.set_ylim(0, None)
        save(figure, path)


def draw_shine_through(inputs: Numbers, eta: Numbers, learned: Learned, path: Path) -> None:
    """How the contrast of gold fades under epoxy at 1, 2 and 4 kV: simulated runs as points (rows of mean
    atomic number, kV and nm, and their coefficients), the network as lines, and where each falls to 1/e."""
    heaviest, lightest = inputs[:, 0].max(), inputs[:, 0].min()
    fine_nm = np.arange(0.0, 191.0)
    with mpl.rc_context(RC):
        figure = Figure(figsize=(7.2, 4.2))
        axes = figure.subplots()
        for kev, (_, colour) in zip((1.0, 2.0, 4.0), AXES, strict=True):
            rows = (inputs[:, 0] == heaviest) & (inputs[:, 1] == kev)
            floor = eta[(inputs[:, 0] == lightest) & (inputs[:, 1] == kev)].mean()
            top = eta[rows & (inputs[:, 2] == 0)][0]
            axes.plot(inputs[rows, 2], (eta[rows] - floor) / (top - floor), "o", ms=4, color=colour)
            line = learned(kev, fine_nm)
            axes.plot(fine_nm, line, color=colour, lw=1.4, label=f"{kev:g} kV")
            seen_nm = fine_nm[np.argmax(line < np.exp(-1))]
            axes.annotate(f"{seen_nm:.0f} nm", (seen_nm, np.exp(-1)), (4, 6), textcoords="offset points")
        axes.axhline(np.exp(-1), color=GREY, lw=1, ls="--")
        axes.set(
            title="shine-through: contrast of gold under epoxy (points: Monte Carlo, lines: network)",
            xlabel="epoxy above the gold (nm)",
            ylabel="contrast over that at the face",
            xlim=(0, 190),
        )
        axes.legend(frameon=False)
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises
    ------
    StoreError
        The file cannot be written.
    """
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    replace_file(path, picture.getvalue())


def _section(axes: Axes, specimen: Specimen, across: int, names: tuple[str, str]) -> None:
    """The middle section across an axis (0: z, 1: y)."""
    voxel_um = specimen.design.voxel_nm / 1000
    plane = np.take(specimen.phases, specimen.phases.shape[across] // 2, axis=across)
    extent = (0, plane.shape[1] * voxel_um, plane.shape[0] * voxel_um, 0)
    axes.imshow(plane, cmap=PHASE_COLOURS, vmin=0, vmax=2, interpolation="nearest", extent=extent)
    axes.grid(visible=False)
    axes.set(
        title=f"middle {names[0]}{names[1]} section",
        xlabel=f"{names[0]} (µm)",
        ylabel=f"{names[1]} (µm)",
    )


def _curves(axes: Axes, lag_nm: np.ndarray, curves: np.ndarray, title: str) -> None:
    for (name, colour), curve in zip(AXES, curves, strict=True):
        axes.plot(lag_nm, curve, color=colour, lw=1.3, label=name)
    axes.set(title=title, xlabel="lag (nm)", ylabel="probability", ylim=(0, None), xlim=(0, lag_nm[-1]))
    axes.legend(frameon=False)


def _table(axes: Axes, report: dict[str, Any]) -> None:
    fractions = report["phase_fractions"]
    rows = [
        (f"fraction of phase {phase}", f"{asked:.4f}", f"{obtained:.4f}")
        for phase, (asked, obtained) in enumerate(zip(*fractions.values(), strict=True))
    ]
    rows += [
        (f"{level['network']} (nm)", f"{level['asked_nm']:.1f}", f"{level['obtained_nm']:.1f}")
        for level in report["networks"]
    ]
    if "sphere_diameter" in report:
        asked, obtained = report["sphere_diameter"].values()
        rows.append(("sphere diameter (nm)", f"{asked:.1f}", f"{obtained:.1f}"))
    axes.axis("off")
    axes.set_title("asked for and obtained")
    table = axes.table(
        rows, colLabels=("", "asked", "obtained"), loc="upper center", colWidths=(0.5, 0.25, 0.25)
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.scale(1, 1.5)


def draw_slices(names: Sequence[str], images: Sequence[np.ndarray], scale: int, path: Path) -> None:
    """The middle slice of every channel beside each other: backscattered per incident electron."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(4.2 * len(names), 4.4))
        for axes, name, image in zip(
            np.atleast_1d(figure.subplots(1, len(names))), names, images, strict=True
        ):
            shown = axes.imshow(image / scale, cmap="gray", interpolation="nearest", vmin=0)
            axes.set(title=name, xticks=[], yticks=[])
            axes.grid(visible=False)
            figure.colorbar(shown, ax=axes, shrink=0.8, label="backscattered per electron")
        save(figure, path)
