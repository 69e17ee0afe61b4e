"""A panel that is a chart with its latest figures in the title line."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from daemon.monitor.charts import CHARTS
from daemon.monitor.live_chart import LiveChart
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import Palette
from daemon.view import RunView


class ChartPanel:
    """The chart of that name among ``CHARTS``, drawn again whenever one of its topics has news."""

    def __init__(
        self,
        name: str,
        area: str,
        chart: str,
        readout: Callable[[RunView], str] = lambda _view: "",
    ) -> None:
        self.topics = CHARTS[chart].topics
        self._chart_of = chart
        self._readout_of = readout
        with ui.element("section").classes(f"panel {area}").props(f'aria-label="{name}"'):
            self._readout = title(name)
            self._chart = LiveChart()

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Draw what the run has come to."""
        self._readout.text = self._readout_of(microscope.feed.view)
        self._chart.show(microscope.chart_address(self._chart_of, palette))


def title(name: str) -> ui.label:
    """A panel's title line; returns the label of its readout."""
    with ui.row().classes("title"):
        heading(name)
        return ui.label().classes("readout")


def heading(name: str) -> None:
    """A panel's name, for eyes and for screen readers."""
    ui.label(name).classes("name").props('role="heading" aria-level="2"')
