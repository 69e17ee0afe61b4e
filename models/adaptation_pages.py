"""Pages for the person who decides whether an adapted network is used: images, labels, distributions."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.acquired import Acquired, on_network_scale
from models.adaptation_effect import Effect
from models.normalisation import Normalisation
from models.scenes import Scene

CROP_PX = 256
"""Of what is shown: pixels must be seen."""
GREY_BINS = 80
KINDS = ("synthetic", "adapted", "acquired")
COLOURS = ("0.6", "tab:orange", "tab:blue")
Images = NDArray[np.float32]


def draw_labels(effect: Effect, voltages_kv: tuple[float, ...], path: Path) -> None:
    """A row for each shown face: the image of the lowest voltage, labels before and after, and where they
    differ (orange: now solid, blue: now pore)."""
    rows = len(effect.faces)
    figure, panels = _sheet(rows, 4, side_in=2.6)
    titles = (f"acquired, {voltages_kv[0]:g} kV", "labels before", "labels after", "difference")
    for row in range(rows):
        face, before, after = (
            _middle(image) for image in (effect.faces[row, 0], *(one[row] for one in effect.labels))
        )
        low, high = np.percentile(face, (1, 99))
        panels[row, 0].imshow(face, cmap="gray", vmin=low, vmax=max(high, low + 1))
        for panel, labels in zip(panels[row, 1:3], (before, after), strict=True):
            panel.imshow(labels, cmap="gray", vmin=0, vmax=1)
        panels[row, 3].imshow(_difference(before, after))
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title)
    figure.savefig(path, dpi=90)


def draw_styles(
    synthetic: Scene,
    in_style: Scene,
    acquired: Acquired,
    normalisation: Normalisation,
    path: Path,
) -> None:
    """A row for each voltage: a synthetic face, the same in the acquired style, and an acquired one."""
    middle = len(synthetic.images) // 2
    figure, panels = _sheet(len(acquired.voltages_kv), 3, side_in=3.0)
    for channel, voltage in enumerate(acquired.voltages_kv):
        stacks = synthetic.images[middle], in_style.images[middle], acquired.images[len(acquired.images) // 2]
        for panel, kind, stack in zip(panels[channel], KINDS, stacks, strict=True):
            panel.imshow(_shown(stack[channel], normalisation), cmap="gray", vmin=-0.2, vmax=1.2)
            panel.set_title(f"{kind}, {voltage:g} kV")
    figure.savefig(path, dpi=90)


def draw_distributions(
    synthetic: list[Scene],
    in_style: list[Scene],
    acquired: Acquired,
    normalisation: Normalisation,
    effect: Effect,
    path: Path,
) -> None:
    """A row for each voltage: how often grey values are, and the power of spatial frequencies."""
    figure = Figure(figsize=(9.0, 3.0 * len(acquired.voltages_kv)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(acquired.voltages_kv), 2, squeeze=False)
    for channel, voltage in enumerate(acquired.voltages_kv):
        stacks = [
            np.concatenate([on_network_scale(scene.images[:, channel], normalisation) for scene in scenes])
            for scenes in (synthetic, in_style)
        ]
        stacks.append(on_network_scale(acquired.images[:, channel], normalisation))
        _draw_greys(panels[channel, 0], stacks)
        _draw_powers(panels[channel, 1], stacks)
        far = effect.distances[channel]
        panels[channel, 0].set_title(f"{voltage:g} kV, grey values (0 and 1: percentiles)")
        panels[channel, 1].set_title(f"power; distance over limit {far.before:.2f} → {far.after:.2f}")
    figure.savefig(path, dpi=90)


def _draw_greys(panel: Axes, stacks: list[Images]) -> None:
    for kind, colour, images in zip(KINDS, COLOURS, stacks, strict=True):
        counts, edges = np.histogram(images, GREY_BINS, (-0.5, 1.5), density=True)
        panel.plot((edges[1:] + edges[:-1]) / 2, counts, color=colour, label=kind)
    panel.set(yscale="log", xlabel="grey value on the network's scale", ylabel="density")
    panel.legend(fontsize="small")


def _draw_powers(panel: Axes, stacks: list[Images]) -> None:
    side = min(min(images.shape[1:]) for images in stacks) // 2 * 2
    for kind, colour, images in zip(KINDS, COLOURS, stacks, strict=True):
        frequencies, power = radial_power(images[:, :side, :side])
        panel.loglog(frequencies, power, color=colour, label=kind)
    panel.set(xlabel="periods per pixel", ylabel="power")
    panel.legend(fontsize="small")


def radial_power(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Periods per pixel, and the mean power of square images (image, y, x) in rings one period wide."""
    side = images.shape[-1]
    window = np.hanning(side)
    tiles = (images - images.mean(axis=(1, 2), keepdims=True)) * window[:, None] * window
    power = np.mean(np.abs(np.fft.rfft2(tiles)) ** 2, axis=0) / side**2
    radius = np.rint(np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side).astype(int)
    rings = np.arange(1, side // 2)
    sums, counts = (np.bincount(radius.ravel(), weights, side)[rings] for weights in (power.ravel(), None))
    return rings / side, sums / counts


def _sheet(rows: int, columns: int, side_in: float) -> tuple[Figure, NDArray[np.object_]]:
    figure = Figure(figsize=(side_in * columns, side_in * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.ravel():
        panel.set(xticks=[], yticks=[])
    return figure, panels


def _shown(image: NDArray[np.uint8 | np.uint16], normalisation: Normalisation) -> Images:
    return _middle(on_network_scale(image[None], normalisation)[0])


def _middle(image: NDArray[Any]) -> NDArray[Any]:
    top, left = (max(0, (side - CROP_PX) // 2) for side in image.shape)
    return image[top : top + CROP_PX, left : left + CROP_PX]


def _difference(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB (y, x, 3): grey where both say solid, orange where only after does, blue where only before did."""
    shown = np.repeat(0.25 * (before & after)[..., None].astype(np.float64), 3, axis=2)
    shown[(after == 1) & (before == 0)] = (1.0, 0.55, 0.0)
    shown[(after == 0) & (before == 1)] = (0.15, 0.45, 1.0)
    return shown
