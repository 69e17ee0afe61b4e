"""The panels of the page: each is built once per browser and shown again when its topics have news."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from daemon.messages import PreviewMessage
from daemon.monitor.charts import Options
from daemon.monitor.palette import Palette
from daemon.monitor.pictures import picture
from daemon.monitor.readouts import slice_readout, volume_readout
from daemon.view import RunView

ALL = "all"
CUT_NAMES = {"xy": "x · y", "xz": "x · z", "yz": "y · z"}


class ChartPanel:
    """A chart with its latest figures in the title line."""

    def __init__(
        self,
        name: str,
        area: str,
        chart: Callable[[RunView, Palette], Options],
        readout: Callable[[RunView], str],
        topics: tuple[str, ...],
    ) -> None:
        self.topics = topics
        self._options = chart
        self._readout_text = readout
        with ui.element("section").classes(f"panel {area}"):
            self._readout = _title(name)
            self._chart = ui.echart({}).classes("chart")

    def show(self, view: RunView, palette: Palette) -> None:
        """Draw what the run has come to."""
        self._readout.text = self._readout_text(view)
        self._chart.options.clear()
        self._chart.options.update(self._options(view, palette))
        self._chart.update()


class SlicePanel:
    """The latest slice: registered images side by side or one alone, the segmentation over them."""

    topics: tuple[str, ...] = ("preview",)

    def __init__(self) -> None:
        self._view = RunView()
        with ui.element("section").classes("panel slice"):
            with ui.row().classes("title no-wrap items-center"):
                ui.label("Latest slice").classes("name")
                self._readout = ui.label().classes("readout")
                ui.space()
                self._choice = ui.toggle([ALL], value=ALL, on_change=self._draw)
                self._choice.props("dense no-caps unelevated")
                ui.switch("segmentation", value=True, on_change=self._lay_over).props("dense")
            self._pictures = ui.html("", sanitize=False).classes("pictures")

    def show(self, view: RunView, palette: Palette) -> None:
        """Draw the newest preview."""
        self._view = view
        self._readout.text = slice_readout(view)
        names = [ALL, *image_names(view.preview)]
        if self._choice.options != names:
            self._choice.set_options(names, value=ALL)
        self._draw()

    def _draw(self) -> None:
        chosen = str(self._choice.value)
        names = image_names(self._view.preview) if chosen == ALL else [chosen]
        pictures = "".join(_slice_picture(self._view, name) for name in names)
        self._pictures.content = pictures or _empty("No slice yet")

    def _lay_over(self, change: ValueChangeEventArguments[bool | None]) -> None:
        self._pictures.classes(remove="bare") if change.value else self._pictures.classes(add="bare")


class VolumePanel:
    """Three orthogonal cuts of the volume as it grows."""

    topics: tuple[str, ...] = ("preview", "planes")

    def __init__(self) -> None:
        with ui.element("section").classes("panel volume"):
            self._readout = _title("Volume")
            self._pictures = ui.html("", sanitize=False).classes("pictures cuts")

    def show(self, view: RunView, palette: Palette) -> None:
        """Draw the newest cuts."""
        self._readout.text = volume_readout(view)
        cuts = [name for name in CUT_NAMES if view.preview and f"cut/{name}" in view.preview.arrays]
        self._pictures.content = "".join(_cut_picture(view, name) for name in cuts) or _empty(
            "No plane is final yet"
        )


def image_names(preview: PreviewMessage | None) -> list[str]:
    """The channels of which a preview has an image, in the order of the configuration."""
    arrays = preview.arrays if preview else {}
    return [name.removeprefix("image/") for name in arrays if name.startswith("image/")]


def _slice_picture(view: RunView, channel: str) -> str:
    preview = view.preview
    if preview is None:
        return ""
    layers = [(_address(view, f"image/{channel}"), "image")]
    if "labels" in preview.arrays:
        layers.append((_address(view, "overlay"), "overlay"))
    height, width = preview.arrays[f"image/{channel}"].shape
    return picture(layers, (height, width), preview.image_pixel_nm, channel)


def _cut_picture(view: RunView, name: str) -> str:
    preview = view.preview
    if preview is None:
        return ""
    height, width = preview.arrays[f"cut/{name}"].shape
    pixel_nm = (preview.cut_pixel_nm, preview.cut_pixel_nm)
    return picture([(_address(view, f"cut/{name}"), "cut")], (height, width), pixel_nm, CUT_NAMES[name])


def _address(view: RunView, name: str) -> str:
    """Where the server serves a picture; the number makes a new picture a new address."""
    epoch = view.envelope.epoch if view.envelope else 0
    return f"/picture/{epoch}-{view.preview_seq}/{quote(name)}"


def _empty(text: str) -> str:
    return f'<div class="empty">{text}</div>'


def _title(name: str) -> ui.label:
    """A panel's title line; returns the label of its readout."""
    with ui.row().classes("title no-wrap items-center"):
        ui.label(name).classes("name")
        return ui.label().classes("readout")
