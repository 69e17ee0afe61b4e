"""A picture of how far claimed probabilities can be trusted."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from algorithms.reliability import Reliability, calibration_error


def draw_reliability(found: Mapping[str, Reliability], path: Path) -> None:
    """Write a PNG: frequency of solid over its claimed probability, a line a network, the diagonal dashed."""
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="0.6", linewidth=0.8)
    for name, one in found.items():
        axes.plot(*one.points, "o-", markersize=3, label=f"{name}, error {calibration_error(one):.4f}")
    axes.set(xlabel="claimed probability of solid", ylabel="share that is solid", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
