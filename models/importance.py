"""Which features a forest decides by: a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from algorithms.filter_bank import FeatureName

SHOWN = 25
COLOURS = ("#0072B2", "#E69F00", "#009E73")
"""Of the signals (Okabe & Ito 2008)."""


def importance_table(names: Sequence[FeatureName], shares: NDArray[np.float64]) -> list[str]:
    """CSV lines of a forest's features, the most important first; ``shares`` (features,) sum to 1.

    A feature's share is how much less mixed the phases are by its splits, a mean over the trees (Gini).
    """
    order = np.argsort(shares)[::-1]
    head = "signal,kind,scale,importance"
    return [head, *(f"{_row(names[index])},{shares[index]:.6f}" for index in order)]


def draw_importance(names: Sequence[FeatureName], shares: NDArray[np.float64], path: Path) -> None:
    """Write a PNG: the most important features, and what each signal and each kind of feature is worth."""
    figure = Figure(figsize=(11.0, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    colours = dict(zip(dict.fromkeys(name.signal for name in names), COLOURS, strict=False))
    best, by_kind = figure.subplots(1, 2)
    _draw_best(best, names, shares, colours)
    _draw_kinds(by_kind, grouped(names, shares), colours)
    for panel in (best, by_kind):
        panel.set(xlabel="importance (%)")
        panel.grid(visible=True, axis="x", alpha=0.25)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.invert_yaxis()
    figure.savefig(path, dpi=110)


def _draw_best(
    panel: Axes, names: Sequence[FeatureName], shares: NDArray[np.float64], colours: Mapping[str, str]
) -> None:
    """A bar each: two eigenvalues have one name."""
    best = np.argsort(shares)[::-1][:SHOWN]
    labels = [f"{names[index].signal}: {names[index].kind}, {names[index].scale}" for index in best]
    panel.barh(
        np.arange(len(best)), 100 * shares[best], color=[colours[names[index].signal] for index in best]
    )
    panel.set_yticks(np.arange(len(best)), labels, fontsize=7.5)
    panel.set_title(f"the {len(best)} most important of {len(names)} features", loc="left")


def _draw_kinds(panel: Axes, groups: dict[tuple[str, str], float], colours: Mapping[str, str]) -> None:
    kinds = list(dict.fromkeys(kind for _, kind in groups))
    start = np.zeros(len(kinds))
    for signal, colour in colours.items():
        worth = np.array([100 * groups.get((signal, kind), 0.0) for kind in kinds])
        panel.barh(kinds, worth, left=start, label=signal, color=colour)
        start += worth
    panel.set_title("all features, by kind and signal", loc="left")
    panel.legend(title="signal", frameon=False, loc="lower right")


def grouped(names: Sequence[FeatureName], shares: NDArray[np.float64]) -> dict[tuple[str, str], float]:
    """Importance by signal and kind of feature."""
    worth: dict[tuple[str, str], float] = {}
    for name, share in zip(names, shares, strict=True):
        key = (name.signal, name.kind)
        worth[key] = worth.get(key, 0.0) + float(share)
    return worth


def _row(name: FeatureName) -> str:
    return f"{name.signal},{name.kind},{name.scale}"
