"""Three orthogonal cuts through the volume as it grows, linked: a click in one moves the other two."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from daemon.messages import PreviewMessage
from daemon.monitor.chart_panel import heading
from daemon.monitor.microscope import Microscope, preview_picture
from daemon.monitor.palette import Palette
from daemon.monitor.panes import Layer, Mark, Pane, Panes
from daemon.monitor.readouts import volume_readout
from daemon.monitor.units import length

CUTS = {"xy": ("x", "y"), "xz": ("x", "z"), "yz": ("y", "z")}  # of each cut: axis to the right, axis down
ACROSS = {"xy": "z", "xz": "y", "yz": "x"}  # the axis along which a cut is moved
LONGEST_PX = 1024


@dataclass(frozen=True, slots=True)
class CutPoint:
    """Where the three cuts meet, in voxels."""

    z: int
    y: int
    x: int


class VolumePanel:
    """The cuts; ``linked`` ones can be clicked, others stay at the newest plane and the middle."""

    topics: tuple[str, ...] = ("preview", "planes")

    def __init__(self, microscope: Microscope, *, linked: bool) -> None:
        self._microscope = microscope
        self._chosen: CutPoint | None = None
        with ui.element("section").classes("panel volume").props('aria-label="Volume"'):
            with ui.row().classes("title"):
                heading("Volume")
                self._readout = ui.label().classes("readout")
                ui.space()
                if linked:
                    ui.button("newest", color=None, on_click=self._follow).props("dense no-caps unelevated")
            with ui.element("div").classes("cuts") as self._cuts:
                self._panes = {
                    name: Panes(f"cut {name}", self._point if linked else None, zoomable=linked)
                    for name in CUTS
                }
                for name, panes in self._panes.items():
                    panes.classes(f"cut-{name}")
            self._empty = ui.label("No plane is final yet").classes("empty")

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Draw the newest cuts, or those that were chosen."""
        self._readout.text = volume_readout(microscope.feed.view)
        shown = [name for name in CUTS if self._draw(name, is_news=True)]
        self._cuts.set_visibility(bool(shown))
        self._empty.set_visibility(not shown)

    def _draw(self, name: str, *, is_news: bool = False) -> bool:
        pane = cut_pane(self._microscope, name, self._chosen)
        self._panes[name].show([pane] if pane else [], is_news=is_news)
        return pane is not None

    def _follow(self) -> None:
        self._chosen = None
        self._draw_all()

    def _point(self, pane: str, right_nm: float, down_nm: float) -> None:
        """A click: the other two cuts go there."""
        planes = self._microscope.feed.view.planes
        if planes is None or self._microscope.feed.away:
            return
        at = self._chosen or middle(planes.shape)
        name = pane.replace(" · ", "")
        right, down = CUTS[name]
        moved = {"z": at.z, "y": at.y, "x": at.x}
        moved |= {right: int(right_nm / planes.grid_nm), down: int(down_nm / planes.grid_nm)}
        depth, height, width = planes.shape
        limits = {"z": depth, "y": height, "x": width}
        self._chosen = CutPoint(**{axis: max(0, min(limits[axis] - 1, at)) for axis, at in moved.items()})
        self._draw_all()

    def _draw_all(self) -> None:
        for name in CUTS:
            self._draw(name)


def cut_pane(microscope: Microscope, name: str, chosen: CutPoint | None) -> Pane | None:
    """One cut: at the chosen point, or as the newest preview brought it; None while there is no volume.

    Once there is nobody to ask for another, it is the preview's.
    """
    preview = microscope.feed.view.preview
    if chosen is None or microscope.feed.away:
        return _previewed(microscope, preview, name) if preview else None
    return _asked_for(microscope, name, chosen)


def _previewed(microscope: Microscope, preview: PreviewMessage, name: str) -> Pane | None:
    """At hand whether or not the daemon answers."""
    picture = preview.arrays.get(f"cut/{name}")
    if picture is None:
        return None
    voxel_nm = preview.cut_pixel_nm
    box = (0.0, 0.0, picture.shape[1] * voxel_nm, picture.shape[0] * voxel_nm)
    planes = microscope.feed.view.planes
    at_nm = preview.cut_at.get(name, 0) * (planes.grid_nm if planes else voxel_nm)
    layer = Layer("cut", preview_picture(microscope, f"cut/{name}"), box)
    final_nm = preview.cut_final_rows * voxel_nm
    open_ = (0.0, final_nm, box[2], box[3] - final_nm)
    marks = (Mark("region", open_, used=True, title="provisional: may still change"),)
    caption = f"at {ACROSS[name]} = {length(at_nm)}"
    is_open = name != "xy" and 0.0 < final_nm < box[3]
    return Pane(f"{name[0]} · {name[1]}", caption, box, (layer,), marks if is_open else ())


def _asked_for(microscope: Microscope, name: str, at: CutPoint) -> Pane | None:
    """From the daemon's volume."""
    view = microscope.feed.view
    if view.planes is None:
        return None
    grid_nm = view.planes.grid_nm
    extent = dict(zip("zyx", (count * grid_nm for count in view.planes.shape), strict=True))
    right, down = CUTS[name]
    box = (0.0, 0.0, extent[right], extent[down])
    points = {"z": at.z * grid_nm, "y": at.y * grid_nm, "x": at.x * grid_nm}
    across = ACROSS[name]
    level = pyramid_level(view.planes.shape)
    href = microscope.address(f"cut/{name}/{level}/{getattr(at, across) >> level}?of={view.planes.shape[0]}")
    caption = f"at {across} = {length(points[across])}"
    cross = (points[right], points[down])
    return Pane(f"{name[0]} · {name[1]}", caption, box, (Layer("cut", href, box),), cross=cross)


def middle(shape: tuple[int, int, int]) -> CutPoint:
    """The newest plane, and the middle of it."""
    return CutPoint(shape[0] - 1, shape[1] // 2, shape[2] // 2)


def pyramid_level(shape: tuple[int, int, int]) -> int:
    """The finest level of which a whole cut fits a screen."""
    level = 0
    while max(shape) >> level > LONGEST_PX:
        level += 1
    return level
