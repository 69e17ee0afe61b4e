"""Pictures of what a generator makes, drawn while it is trained: whoever waits sees whether it gets there."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from models.cycle_fitting import Pair
from models.translation_networks import ImageCycle

TITLES = ("fast", "expected", "counted", "Monte Carlo", "back from it")


def draw_samples(
    cycle: ImageCycle,
    validation: Pair,
    develop: Callable[[torch.Generator, Tensor], Tensor],
    folder: Path,
    stage: str,
    epoch: int,
) -> None:
    """Write ``folder/<stage>_<epoch>.png``: a face there and back, beside one of the style itself."""
    plain, styled = (images[:1] for images in validation)
    with torch.inference_mode():
        expected = cycle.there(plain)
        counted = develop(torch.Generator().manual_seed(0), expected)
        shown = [plain, expected, counted, styled, cycle.back(styled)]
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {title: image[0, 0].numpy() for title, image in zip(TITLES, shown, strict=True)}
    draw_row(pictures, folder / f"{stage}_{epoch:03d}.png")


def draw_row(images: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Images by their titles, beside each other, on one scale of grey."""
    figure = Figure(figsize=(3.0 * len(images), 3.3), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, (title, image) in zip(panels, images.items(), strict=True):
        axes.imshow(image, cmap="gray", vmin=-1, vmax=1)
        axes.set(title=title, xticks=[], yticks=[])
    figure.savefig(path, dpi=80)
