"""The pictures of a report: the last face as microscope and network see it, and cuts of the volume."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from algorithms.relief import relief
from daemon.report.contents import Contents
from daemon.report.style import GREEN, ORANGE, PURPLE, SKY, WIDTH_IN

# Phases of the volume: pore dark, the first solid as pale as gold in backscattered electrons, then others, in
# the order of their colours on the dashboard.
PHASES: Final = ListedColormap(("#111827", "#f2c14e", SKY, GREEN, PURPLE))
_TALLEST_IN: Final = 9.0
_BAR_SHARE: Final = 0.25
_PER_VOXEL: Final = 2.0
_GOLD: Final = (1.0, 0.82, 0.42)


def faces(contents: Contents) -> Figure | None:
    """The last slice: its registered images, and the outline of the segmentation on the first of them."""
    images = {name: contents.examples[name] for name in contents.channels if name in contents.examples}
    labels = contents.examples.get("labels")
    if not images or labels is None:
        return None
    pixel_nm = contents.face_pixel_nm or (1.0, 1.0)
    columns = 2
    rows = math.ceil((len(images) + 1) / columns)
    height, width = labels.shape[0] * pixel_nm[0], labels.shape[1] * pixel_nm[1]
    figure = Figure(figsize=_size(width * columns, height * rows, extra_in=0.25 * rows), layout="compressed")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (name, image) in zip(panels, images.items(), strict=False):
        _show(panel, image, pixel_nm, name)
    _show(
        panels[len(images)], next(iter(images.values())), pixel_nm, "segmentation: the outline of the solid"
    )
    _outline(panels[len(images)], labels, pixel_nm)
    for panel in panels:
        panel.set_axis_off()
    if contents.face_pixel_nm:
        _scale_bar(panels[0], width, height)
    return figure


def cuts(contents: Contents) -> Figure | None:
    """Three orthogonal cuts through the middle of the isotropic volume, all on one scale."""
    if not contents.cuts:
        return None
    z, y, x = (side * contents.grid_nm for side in contents.shape)
    figure = Figure(figsize=_size(x + z, y + z, extra_in=0.9), layout="compressed")
    grid = figure.add_gridspec(2, 2, width_ratios=(x, z), height_ratios=(y, z))
    places = {"xy": grid[0, 0], "xz": grid[1, 0], "yz": grid[0, 1]}
    for name, labels in contents.cuts.items():
        panel = figure.add_subplot(places[name])
        shown = labels.T if name == "yz" else labels
        height, width = (side * contents.grid_nm for side in shown.shape)
        panel.imshow(
            shown,
            cmap=PHASES,
            vmin=0,
            vmax=PHASES.N - 1,
            interpolation="nearest",
            extent=(0, width, height, 0),
        )
        across, down = ("z", "y") if name == "yz" else (name[0], name[1])
        panel.set(xlabel=f"{across} (nm)", ylabel=f"{down} (nm)")
        panel.grid(visible=False)
    _name_phases(figure, max(int(labels.max()) for labels in contents.cuts.values()))
    return figure


def _name_phases(figure: Figure, last: int) -> None:
    """Of pore and solid the caption speaks; of more phases nobody could guess which colour is which."""
    if last < 2:
        return
    names = ("pore", *(f"phase {phase}" for phase in range(1, last + 1)))
    patches = [Patch(color=PHASES(min(k, PHASES.N - 1)), label=name) for k, name in enumerate(names)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))


def earlier(contents: Contents) -> Figure | None:
    """Faces from before: the reference channel beside the outline of the solid, a row each."""
    face_nm = contents.face_nm
    if not contents.earlier or face_nm is None:
        return None
    rows = len(contents.earlier)
    size = _size(2 * face_nm[1], rows * face_nm[0], extra_in=0.25 * rows)
    figure = Figure(figsize=size, layout="compressed")
    panels = figure.subplots(rows, 2, squeeze=False)
    for face, (plain, outlined) in zip(contents.earlier, panels, strict=True):
        image = face.images[contents.reference]
        pixel_nm = (face_nm[0] / image.shape[0], face_nm[1] / image.shape[1])
        _show(plain, image, pixel_nm, f"slice {face.index}, {contents.reference}")
        _show(outlined, image, pixel_nm, "the outline of the solid")
        _outline(outlined, face.labels, pixel_nm)
        _scale_bar(plain, face_nm[1], face_nm[0])
    for panel in panels.ravel():
        panel.set_axis_off()
    return figure


def surface(contents: Contents) -> Figure | None:
    """The solid as a relief, all phases but pore, with a scale bar that holds anywhere in the picture."""
    if contents.coarse.size == 0 or not contents.coarse.any():
        return None
    shade = relief(contents.coarse > 0, per_voxel=_PER_VOXEL)
    pixel_nm = contents.grid_nm * contents.shape[2] / contents.coarse.shape[2] / _PER_VOXEL
    height, width = shade.shape[0] * pixel_nm, shade.shape[1] * pixel_nm
    figure = Figure(figsize=_size(width, height, extra_in=0.1))
    panel = figure.subplots()
    shown = np.where(np.isnan(shade)[..., None], 1.0, shade[..., None] * np.array(_GOLD))
    panel.imshow(np.clip(shown, 0.0, 1.0), extent=(0, width, height, 0), interpolation="antialiased")
    panel.set_axis_off()
    _scale_bar(panel, width, height, color="black")
    return figure


def _size(width_nm: float, height_nm: float, extra_in: float) -> tuple[float, float]:
    """Inches for a picture of this shape: as wide as the page, unless that were too tall."""
    width = min(WIDTH_IN, _TALLEST_IN * width_nm / height_nm)
    return max(width, WIDTH_IN / 2), width * height_nm / width_nm + extra_in


def _show(panel: Axes, image: NDArray[np.uint8], pixel_nm: tuple[float, float], title: str) -> None:
    """Grey values between the percentiles 0.5 and 99.5; axes in nm give foreshortened rows their height."""
    low, high = np.percentile(image, (0.5, 99.5))
    panel.imshow(
        image,
        cmap="gray",
        vmin=low,
        vmax=max(high, low + 1),
        interpolation="antialiased",
        extent=(0, image.shape[1] * pixel_nm[1], image.shape[0] * pixel_nm[0], 0),
    )
    panel.set_title(title)


def _outline(panel: Axes, labels: NDArray[np.uint8], pixel_nm: tuple[float, float]) -> None:
    """The boundary of everything that is not pore, and of every phase beyond the first in its colour."""
    y, x = ((np.arange(side) + 0.5) * size for side, size in zip(labels.shape, pixel_nm, strict=True))
    shown = {ORANGE: labels > 0} | {PHASES(k): labels == k for k in range(2, int(labels.max()) + 1)}
    for colour, inside in shown.items():
        if inside.any() and not inside.all():
            panel.contour(x, y, inside.astype(float), levels=[0.5], colors=[colour], linewidths=0.6)


def _scale_bar(panel: Axes, width_nm: float, height_nm: float, color: str = "white") -> None:
    length = _round_below(_BAR_SHARE * width_nm)
    y, thick = 0.94 * height_nm, 0.012 * height_nm
    panel.add_patch(Rectangle((0.03 * width_nm, y), length, thick, color=color, zorder=3))
    panel.text(
        0.03 * width_nm + length / 2,
        y - thick,
        f"{length:g} nm",
        color=color,
        ha="center",
        va="bottom",
        bbox={"color": "white" if color == "black" else "black", "alpha": 0.6, "pad": 1.5},
    )


def _round_below(nm: float) -> float:
    """The longest of 1, 2, 5 × 10ⁿ nm that is not above ``nm``."""
    decade = 10.0 ** math.floor(math.log10(nm))
    return next(step * decade for step in (5.0, 2.0, 1.0) if step * decade <= nm)
