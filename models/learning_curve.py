"""A picture of how a training went."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.fitting import Epoch


def draw_learning_curves(histories: Mapping[str, Sequence[Epoch]], path: Path) -> None:
    """Write a PNG with one panel a stage: training and validation loss over epochs, logarithmic."""
    figure = Figure(figsize=(3.2 * len(histories), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(histories), squeeze=False)[0]
    for panel, (stage, history) in zip(panels, histories.items(), strict=True):
        _draw_stage(panel, stage, history)
    figure.savefig(path, dpi=110)


def _draw_stage(panel: Axes, stage: str, history: Sequence[Epoch]) -> None:
    epochs = range(1, len(history) + 1)
    panel.semilogy(epochs, [epoch.training_loss for epoch in history], label="training")
    panel.semilogy(epochs, [epoch.validation_loss for epoch in history], label="validation")
    best = min(range(len(history)), key=lambda number: history[number].validation_loss)
    panel.axvline(best + 1, color="0.7", linewidth=0.8, label="kept")
    panel.set_title(stage)
    panel.set_xlabel("epoch")
    panel.set_ylabel("loss")
    panel.legend(fontsize="small")
