"""The figures of an analysis, each as PNG for screens and SVG for publications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from daemon.analyse.cut_pictures import cut_pictures
from daemon.analyse.results import AXES, Analysis, Paths, Transport
from daemon.report.figures import as_files
from daemon.report.style import BLUE, GREY, RC, RED, SERIES, WIDTH_IN, legend_above
from daemon.volume_store import replace_file

LINES: Final = ("-", "--", ":")
ALONG: Final = dict(zip(AXES, SERIES, strict=False))


def draw_figures(analysis: Analysis, folder: Path) -> list[Path]:
    """Draw what there is data for; the files."""
    makers: dict[str, Callable[[Analysis], Figure | None]] = {
        "cuts": cut_pictures,
        "fractions": fractions,
        "sizes": sizes,
        "tortuosity": tortuosity,
        "particles": particles,
    }
    written: list[Path] = []
    with mpl.rc_context(RC):
        for name, make in makers.items():
            if figure := make(analysis):
                files = as_files(figure)
                for kind, content in (("png", files.png), ("svg", files.svg)):
                    written.append(folder / f"{name}.{kind}")
                    replace_file(written[-1], content)
    return written


def fractions(analysis: Analysis) -> Figure:
    """Share of the particle that is solid: against depth below its boundary, and per cross-section."""
    figure = Figure(figsize=(WIDTH_IN, 3.1))
    if analysis.shells:
        deep, across = figure.subplots(1, 2, sharey=True)
        _against_depth(deep, analysis)
    else:
        across = figure.subplots()
        across.set(ylabel="share of the volume")
    _across(across, analysis)
    return figure


def _against_depth(panel: Axes, analysis: Analysis) -> None:
    shells = analysis.shells
    if shells is None:
        return
    for phase, colour in _solids(analysis):
        name = f"phase {phase}"
        panel.plot(shells.depth_nm, shells.share[phase], color=colour, lw=1, label=f"{name}, at this depth")
        panel.plot(shells.depth_nm, shells.cumulative[phase], color=colour, lw=1.8, ls="--", label="up to it")
    panel.set(
        xlabel="depth below the boundary (nm)", ylabel="share of the particle", ylim=(0, 1), xlim=(0, None)
    )
    legend_above(panel, 2)


def _across(panel: Axes, analysis: Analysis) -> None:
    """From the middle of each axis on, so that axes of different lengths lie over one another."""
    for axis, one in zip(AXES, analysis.sections, strict=True):
        middle = (one.share.shape[1] - 1) / 2
        position = (np.arange(one.share.shape[1]) - middle) * analysis.voxel_nm
        for order, (phase, _) in enumerate(_solids(analysis)):
            style: dict[str, Any] = {"color": ALONG[axis], "ls": LINES[order % len(LINES)], "lw": 1.1}
            panel.plot(
                position, one.share_in_particle[phase], label=None if order else f"across {axis}", **style
            )
    for order, (phase, _) in enumerate(_solids(analysis)):
        mean = analysis.phases[phase].share_in_particle
        style: dict[str, Any] = {"color": GREY, "ls": LINES[order % len(LINES)], "lw": 0.9}
        panel.axhline(mean, label=f"phase {phase}, whole: {mean:.3f}", **style)
    panel.set(xlabel="cross-section, from the middle (nm)", ylim=(0, 1))
    legend_above(panel, 3)


def _solids(analysis: Analysis) -> list[tuple[int, str]]:
    there = [one.phase for one in analysis.phases if one.phase and one.share > 0.0]
    return [(phase, SERIES[(phase - 1) % len(SERIES)]) for phase in there]


def sizes(analysis: Analysis) -> Figure | None:
    """What balls of each radius cover, and what they reach from each side: a row per phase that leads."""
    shown = [one for one in analysis.transports if np.isfinite(one.covered).any()]
    if not shown:
        return None
    figure = Figure(figsize=(WIDTH_IN, 3.1 * len(shown)))
    for one, row in zip(shown, figure.subplots(len(shown), 2, squeeze=False), strict=True):
        _intrusion(row[0], one)
        _thickness(row[1], one)
    return figure


def _intrusion(panel: Axes, one: Transport) -> None:
    panel.plot(one.radii_nm, one.covered, color=GREY, lw=1.8, label="fits anywhere")
    for entry, colour in zip(one.intrusions, SERIES, strict=False):
        words = f"from {entry.name}" if entry.name not in AXES else f"intrudes along {entry.name}"
        panel.plot(one.radii_nm, entry.share, color=colour, lw=1.2, label=words)
    panel.axhline(0.5, color=GREY, lw=0.8, ls=":")
    if one.is_cut_off:
        panel.axvline(one.radii_nm[-1], color=RED, lw=1.2, ls="--", label="wider: not looked for")
    panel.set(
        xlabel="radius of the ball (nm)", ylabel="share of the phase filled", ylim=(0, 1.02), xlim=(0, None)
    )
    panel.set_title(f"phase {one.phase}: intrusion")
    panel.legend(loc="best")


def _thickness(panel: Axes, one: Transport) -> None:
    """The distribution of local thickness: what balls of each diameter cover and no larger one does."""
    edges = 2 * np.append(one.radii_nm, one.radii_nm[-1] + one.radii_nm[0])
    share = one.covered - np.append(one.covered[1:], 0.0)
    bars = panel.bar(
        edges[:-1], 100 * share, width=np.diff(edges), align="edge", color=BLUE, alpha=0.75, lw=0
    )
    mean = f"mean {'≥ ' if one.is_cut_off else ''}{one.thickness_nm:.4g} nm"
    panel.axvline(one.thickness_nm, color=GREY, lw=1.2, ls="--", label=mean)
    if one.is_cut_off:
        bars[-1].set(color=RED, label=f"{one.widest_nm:.4g} nm and wider")
    panel.set(xlabel="local thickness (nm)", ylabel="share of the phase (%)", xlim=(0, None))
    panel.set_title(f"phase {one.phase}: local thickness")
    panel.legend(loc="best")


def tortuosity(analysis: Analysis) -> Figure | None:
    """How the geodesic tortuosity is distributed over the starts of paths: a panel per phase and kind of
    path."""
    panels = [
        (one.phase, title, [paths for paths in chosen if paths.tau.size])
        for one in analysis.transports
        for title, chosen in (("face to face", one.paths[:3]), ("into the particle", one.paths[3:]))
    ]
    panels = [one for one in panels if one[2]]
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH_IN, 2.9 * rows))
    places = figure.subplots(rows, min(2, len(panels)), squeeze=False).ravel()
    for empty in places[len(panels) :]:
        empty.set_axis_off()
    for panel, (phase, title, chosen) in zip(places, panels, strict=False):
        _distributions(panel, chosen)
        panel.set_title(f"phase {phase}: {title}")
    return figure


def _distributions(panel: Axes, chosen: list[Paths]) -> None:
    """Cumulative: lengths of paths through voxels come in steps, which bins would show as a comb."""
    high = max(1.02, *(float(np.quantile(paths.tau, 0.995)) for paths in chosen))
    for paths, colour in zip(chosen, SERIES, strict=False):
        words = f"along {paths.name}" if paths.name in AXES else paths.name
        shares = np.linspace(0.0, 1.0, 201)
        panel.plot(
            np.quantile(paths.tau, shares),
            100 * shares,
            color=colour,
            label=f"{words}: {paths.mean:.3f} ± {paths.deviation:.3f}",
        )
        panel.axvline(paths.mean, color=colour, lw=0.9, ls="--")
    panel.set(
        xlabel="geodesic tortuosity (dashed: mean)",
        ylabel="starts with at most this (%)",
        xlim=(1.0, high),
        ylim=(0, 101),
    )
    panel.legend(loc="lower right")


def particles(analysis: Analysis) -> Figure | None:
    """Diameters of particles, by number and by volume."""
    found = analysis.particles
    if found is None or found.equivalent_nm.size < 2:
        return None
    figure = Figure(figsize=(WIDTH_IN, 2.8))
    number, volume = figure.subplots(1, 2)
    diameters, shares = found.equivalent_nm, 100 * found.equivalent_nm**3 / (found.equivalent_nm**3).sum()
    bins = np.histogram_bin_edges(diameters, bins=min(60, max(8, diameters.size // 8))).tolist()
    number.hist(diameters, bins=bins, color=BLUE, alpha=0.75)
    volume.hist(diameters, bins=bins, weights=shares, color=SERIES[1], alpha=0.75)
    number.set(
        xlabel="equivalent diameter (nm)",
        ylabel="number of particles",
        title=f"phase {found.phase}: particles by number",
    )
    volume.set(
        xlabel="equivalent diameter (nm)",
        ylabel="share of their volume (%)",
        title=f"phase {found.phase}: particles by volume",
    )
    return figure
