"""The figures of a report: matplotlib, colour-blind-safe (Okabe & Ito 2008), units on every axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from daemon.report.contents import Contents, column

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
RED: Final = "#D55E00"
GREY: Final = "#6b7280"
PALETTE: Final = (BLUE, ORANGE, GREEN, RED)
# Anisotropy of real hierarchical nanoporous gold after late fusion (Sardhara et al. 2024, table 4).
PUBLISHED: Final = {"e_tpcf": 0.1206, "e_lpf": 0.0489, "e_d": 0.0119}

STYLE: Final[Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 130,
    "legend.frameon": False,
}


def all_figures(contents: Contents) -> dict[str, Figure]:
    """Every figure the run has data for, by name."""
    makers: dict[str, Callable[[Contents], Figure | None]] = {
        "thickness": thickness,
        "registration": registration,
        "faces": faces,
        "cuts": cuts,
        "metrics": metrics,
    }
    with mpl.rc_context(STYLE):
        drawn = {name: make(contents) for name, make in makers.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def thickness(contents: Contents) -> Figure | None:
    """Thickness with its error per slice beside its histogram."""
    values = column(contents.slices, "thickness_nm")
    measured = np.isfinite(values)
    if not measured.any():
        return None
    index = column(contents.slices, "slice")
    sigma = np.nan_to_num(column(contents.slices, "thickness_sigma_nm"))
    figure = Figure(figsize=(9.5, 3.2))
    series, histogram = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    series.errorbar(index, values, yerr=sigma, fmt="o", ms=3.5, lw=1, color=BLUE, label="thickness ± σ")
    target = contents.configuration["geometry"]["target_thickness_nm"]
    low, high = contents.configuration["drift"]["limits_nm"]
    series.axhline(target, color=GREEN, lw=1.2, label=f"target {target:g} nm")
    for limit in (low, high):
        series.axhline(limit, color=RED, lw=1, ls="--")
    series.axhline(np.nan, color=RED, lw=1, ls="--", label=f"limits {low:g} and {high:g} nm")
    series.set(xlabel="slice", ylabel="slice thickness (nm)")
    series.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    histogram.hist(values[measured], bins="auto", orientation="horizontal", color=BLUE, alpha=0.75)
    histogram.set(xlabel="slices")
    return figure


def registration(contents: Contents) -> Figure | None:
    """Shift of every channel along y and x."""
    if not contents.slices:
        return None
    index = column(contents.slices, "slice")
    figure = Figure(figsize=(9.5, 3.2))
    for axis, panel in zip("yx", figure.subplots(1, 2), strict=True):
        for name, colour in zip(contents.channels, PALETTE, strict=False):
            shift = column(contents.slices, f"shift_{axis}_px_{name}")
            panel.plot(index, shift, "o-", ms=2.5, lw=0.8, color=colour, label=name)
        panel.set(xlabel="slice", ylabel=f"shift along {axis} (px)")
    figure.axes[0].legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    return figure


def faces(contents: Contents) -> Figure | None:
    """The last slice: its registered images, and the segmentation drawn over the first of them."""
    images = {name: contents.examples[name] for name in contents.channels if name in contents.examples}
    labels = contents.examples.get("labels")
    if not images or labels is None:
        return None
    figure = Figure(figsize=(9.5, 9.5 / (len(images) + 1) * labels.shape[0] / labels.shape[1] + 0.4))
    panels = figure.subplots(1, len(images) + 1, squeeze=False)[0]
    for panel, (name, image) in zip(panels, images.items(), strict=False):
        panel.imshow(image, cmap="gray", interpolation="nearest")
        panel.set_title(name)
    panels[-1].imshow(next(iter(images.values())), cmap="gray", interpolation="nearest")
    overlay = np.ma.masked_equal(labels, 0)
    panels[-1].imshow(overlay, cmap=ListedColormap(PALETTE[1:]), alpha=0.55)
    panels[-1].set_title("segmentation")
    for panel in panels:
        panel.set_axis_off()
    return figure


def cuts(contents: Contents) -> Figure | None:
    """Three orthogonal cuts through the middle of the isotropic volume."""
    if not contents.cuts:
        return None
    z, y, x = contents.shape
    figure = Figure(figsize=(9.5, 9.5 * (y + z) / (x + z) + 0.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(x, z), height_ratios=(y, z))
    places = {"xy": grid[0, 0], "xz": grid[1, 0], "yz": grid[0, 1]}
    for name, labels in contents.cuts.items():
        panel = figure.add_subplot(places[name])
        shown = labels.T if name == "yz" else labels
        extent = (0, shown.shape[1] * contents.grid_nm, shown.shape[0] * contents.grid_nm, 0)
        panel.imshow(shown, cmap="gray", interpolation="nearest", extent=extent)
        across, down = ("z", "y") if name == "yz" else tuple(name)
        panel.set(xlabel=f"{across} (nm)", ylabel=f"{down} (nm)")
        panel.grid(visible=False)
    return figure


def metrics(contents: Contents) -> Figure | None:
    """Solid fraction and the three anisotropy errors against depth."""
    if not contents.metrics:
        return None
    depth = column(contents.metrics, "plane") * contents.grid_nm
    figure = Figure(figsize=(9.5, 3.2))
    fraction, errors = figure.subplots(1, 2)
    fraction.plot(depth, column(contents.metrics, "solid_fraction"), color=BLUE)
    fraction.set(xlabel="depth (nm)", ylabel="solid fraction")
    labels = {"e_tpcf": "e TPCF", "e_lpf": "e LPF", "e_d": "e D"}
    for (name, label), colour in zip(labels.items(), PALETTE, strict=False):
        errors.plot(depth, column(contents.metrics, name), color=colour, label=label)
        errors.axhline(PUBLISHED[name], color=colour, lw=0.8, ls=":")
    errors.set(xlabel="depth (nm)", ylabel="anisotropy error", ylim=(0, None), yscale="linear")
    errors.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    return figure
