"""The charts of a report: thickness, drift, registration, metrics; units on every axis."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from daemon.items import ThicknessSource
from daemon.report.contents import Contents, Numbers, Row, column
from daemon.report.phases import is_comparable
from daemon.report.published import LATE_FUSION
from daemon.report.style import (
    BLUE,
    GREEN,
    GREY,
    RED,
    SERIES,
    SOURCES,
    WIDTH_IN,
    along_slices,
    legend_above,
    mark_gaps,
)
from daemon.settling_axis import end_of_axis, told_beyond

_ERRORS: Final = ("e_tpcf", "e_lpf", "e_d")
_ENOUGH_FOR_A_FIT: Final = 30


def thickness(contents: Contents) -> Figure | None:
    """Thickness with its error per slice, told apart by its source, beside its distribution."""
    rows = contents.kept
    values = column(rows, "thickness_nm")
    if not np.isfinite(values).any():
        return None
    figure = Figure(figsize=(WIDTH_IN, 3.3))
    series, histogram = figure.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    _thickness_points(series, rows)
    target = contents.configuration["geometry"]["target_thickness_nm"]
    low, high = contents.configuration["drift"]["limits_nm"]
    series.axhline(target, color=GREEN, lw=1.2, label=f"target {target:g} nm")
    for limit, label in ((low, f"limits {low:g} and {high:g} nm"), (high, None)):
        series.axhline(limit, color=RED, lw=1, ls="--", label=label)
    mark_gaps(series, [int(row["slice"]) for row in contents.gaps])
    for alarm in contents.alarms:
        if alarm["kind"].startswith("drift"):
            series.axvline(alarm["slice_index"], color=RED, lw=1.2)
    series.set(ylabel="slice thickness (nm)", ylim=(0, None))
    along_slices(series, contents.slices)
    legend_above(series, 5)
    _distribution(histogram, contents.thickness_nm)
    return figure


def _thickness_points(panel: Axes, rows: list[dict[str, str]]) -> None:
    for source, (colour, marker, words) in SOURCES.items():
        chosen = [row for row in rows if row["thickness_source"] == source and row["thickness_nm"]]
        if not chosen:
            continue
        sigma = np.nan_to_num(column(chosen, "thickness_sigma_nm"))
        panel.errorbar(
            column(chosen, "slice"),
            column(chosen, "thickness_nm"),
            yerr=sigma if source is not ThicknessSource.TARGET else None,
            fmt=marker,
            ms=3.5,
            lw=1,
            color=colour,
            label=words,
        )


def _distribution(panel: Axes, values: Numbers) -> None:
    """Histogram, with the gamma distribution of the same mean and spread where there are enough slices."""
    if not values.size:
        panel.set_visible(False)
        return
    panel.hist(values, bins="auto", orientation="horizontal", color=BLUE, alpha=0.6, density=True)
    mean, sigma = float(values.mean()), float(values.std())
    if values.size >= _ENOUGH_FOR_A_FIT and sigma > 0.0:
        heights = np.linspace(0.0, values.max() * 1.05, 200)
        gamma: Any = stats.gamma((mean / sigma) ** 2, scale=sigma**2 / mean)
        panel.plot(gamma.pdf(heights), heights, color=GREY, label="gamma")
        legend_above(panel)
    panel.set(xlabel="density (1/nm)")


def drift(contents: Contents) -> Figure | None:
    """Evidence of the sequential tests from the first slice that gives any; at 1 they alarm."""
    told = [body for body in contents.drift if np.nansum([*body["statistics"].values()]) > 0.0]
    if not told or not contents.slices:
        return None
    index = [body["index"] for body in told]
    figure = Figure(figsize=(WIDTH_IN, 2.4))
    panel = figure.subplots()
    for name, colour in zip(told[-1]["statistics"], SERIES, strict=False):
        share = [body["statistics"].get(name, np.nan) / body["threshold"] for body in told]
        panel.plot(index, share, color=colour, label=name)
    panel.axhline(1.0, color=RED, lw=1, ls="--", label="alarm")
    panel.set(ylabel="evidence / threshold", ylim=(0, None))
    along_slices(panel, contents.slices)
    legend_above(panel, 5)
    return figure


def registration(contents: Contents) -> Figure | None:
    """Shift of every channel along y and x, and how well its image was recognised."""
    rows = contents.kept
    if not rows:
        return None
    index = column(rows, "slice")
    figure = Figure(figsize=(WIDTH_IN, 3.0))
    panels = figure.subplots(1, 3)
    shown = {"shift_y_px": "shift along y (px)", "shift_x_px": "shift along x (px)", "quality": "quality"}
    for (name, label), panel in zip(shown.items(), panels, strict=True):
        for channel, colour in zip(contents.channels, SERIES, strict=False):
            panel.plot(
                index, column(rows, f"{name}_{channel}"), "o-", ms=2, lw=0.9, color=colour, label=channel
            )
        mark_gaps(panel, [int(row["slice"]) for row in contents.gaps])
        panel.set(ylabel=label)
        along_slices(panel, contents.slices)
    panels[2].set(ylim=(0.0, 1.03))
    legend_above(panels[0], 4)
    return figure


def ligaments(contents: Contents) -> Figure | None:
    """How much of the solid belongs to ligaments of each diameter; the last class holds what is thicker."""
    share = column(contents.ligaments, "share_of_solid")
    if not share.any():
        return None
    edges = column(contents.ligaments, "diameter_nm")
    names = [f"{low:g}–{high:g}" for low, high in pairwise(edges)] + [f"> {edges[-1]:g}"]
    figure = Figure(figsize=(WIDTH_IN, 2.6))
    panel = figure.subplots()
    panel.bar(names, share, color=BLUE, alpha=0.75)
    panel.tick_params(axis="x", rotation=45)
    panel.set(xlabel="ligament diameter, local thickness (nm)", ylabel="share of the solid")
    panel.grid(visible=False, axis="x")
    return figure


def metrics(contents: Contents) -> Figure | None:
    """Solid fraction, anisotropy errors and mean ligament diameters as the volume grows, with 95 % bands."""
    if not contents.metrics:
        return None
    figure = Figure(figsize=(WIDTH_IN, 3.0))
    fraction, errors, diameters = figure.subplots(1, 3)
    depth = column(contents.metrics, "plane") * contents.grid_nm
    _with_band(fraction, contents, "solid_fraction", BLUE, "")
    for name, colour in zip(_ERRORS, SERIES, strict=False):
        _with_band(errors, contents, name, colour, f"e {name.removeprefix('e_').upper()}")
        if is_comparable(contents):
            errors.axhline(getattr(LATE_FUSION, name), color=colour, lw=0.9, ls=":")
    for plane, colour in zip(("xy", "xz", "yz"), SERIES, strict=False):
        diameter = column(contents.metrics, f"d_{plane}_nm")
        diameters.plot(depth, diameter, color=colour, label=plane)
    titles = ("solid fraction", "anisotropy error", "mean ligament diameter (nm)")
    for panel, title in zip((fraction, errors, diameters), titles, strict=True):
        panel.set(title=title, xlabel="depth (nm)")
    _end_of_errors(errors, contents)
    diameters.set(ylim=(0, None))
    for panel in (errors, diameters):
        panel.legend(loc="best")
    return figure


def _with_band(panel: Axes, contents: Contents, name: str, colour: str, label: str) -> None:
    depth = column(contents.metrics, "plane") * contents.grid_nm
    value, half = column(contents.metrics, name), _half_widths(contents.metrics, name)
    panel.plot(depth, value, color=colour, label=label)
    known = np.isfinite(half) & np.isfinite(value)
    low = np.maximum(value - half, 0.0)
    panel.fill_between(depth, low, value + half, where=known, color=colour, alpha=0.15, lw=0)


def _half_widths(rows: list[Row], name: str) -> Numbers:
    """Of the 95 % band of a figure, row by row."""
    return column(rows, f"{name}_sigma") * column(rows, "band_sigmas")


def _end_of_errors(panel: Axes, contents: Contents) -> None:
    """The axis shows how the errors settle; what it cuts off is said beside it."""
    values = np.stack([column(contents.metrics, name) for name in _ERRORS])
    highs = values + np.stack([_half_widths(contents.metrics, name) for name in _ERRORS])
    end = end_of_axis(values, highs)
    panel.set(ylim=(0, end))
    words = told_beyond(end, values, highs)
    panel.set_title(words, loc="right", fontsize=7, fontweight="normal", color=GREY)  # clear of the legend
