"""Which features a forest decides by: a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from algorithms.filter_bank import FeatureName

SHOWN = 25


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
    left, right = figure.subplots(1, 2)
    best = np.argsort(shares)[::-1][:SHOWN]
    labels = [f"{names[index].signal}: {names[index].kind}, {names[index].scale}" for index in best]
    left.barh(labels[::-1], 100 * shares[best][::-1], color="#0072b2")
    left.set(xlabel="importance, %", title="the most important features")
    left.tick_params(axis="y", labelsize=7)
    groups = grouped(names, shares)
    signals = list(dict.fromkeys(name.signal for name in names))
    kinds = list(dict.fromkeys(name.kind for name in names))
    start = np.zeros(len(kinds))
    for signal in signals:
        worth = np.array([100 * groups.get((signal, kind), 0.0) for kind in kinds])
        right.barh(kinds, worth, left=start, label=signal)
        start += worth
    right.set(xlabel="importance, %", title="by kind and signal")
    right.invert_yaxis()
    right.legend()
    figure.savefig(path, dpi=110)


def grouped(names: Sequence[FeatureName], shares: NDArray[np.float64]) -> dict[tuple[str, str], float]:
    """Importance by signal and kind of feature."""
    worth: dict[tuple[str, str], float] = {}
    for name, share in zip(names, shares, strict=True):
        key = (name.signal, name.kind)
        worth[key] = worth.get(key, 0.0) + float(share)
    return worth


def _row(name: FeatureName) -> str:
    return f"{name.signal},{name.kind},{name.scale}"
