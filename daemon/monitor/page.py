"""The page of one browser: bar, notice, panels, and the timer that shows news where there are any."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from nicegui import ui

from daemon.monitor.alarms import Acknowledge, AlarmPanel
from daemon.monitor.charts import drift_chart, metrics_chart, thickness_chart
from daemon.monitor.feed import Feed
from daemon.monitor.palette import DARK, LIGHT, Palette
from daemon.monitor.panels import ChartPanel, SlicePanel, VolumePanel
from daemon.monitor.readouts import drift_readout, metrics_readout, thickness_readout
from daemon.monitor.status import notice, statuses
from daemon.monitor.status_bar import StatusBar
from daemon.view import RunView

REFRESH_S = 0.2
STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


class Panel(Protocol):
    """Something that shows a part of the run and says which topics change it."""

    topics: tuple[str, ...]

    def show(self, view: RunView, palette: Palette) -> None:
        """Draw it."""
        ...


class Page:
    """One browser's page onto the feed."""

    def __init__(self, feed: Feed, acknowledge: Acknowledge | None) -> None:
        self._feed = feed
        self._drawn: dict[int, tuple[object, ...]] = {}
        ui.add_css(STYLE)
        self._dark = ui.dark_mode(value=True)
        self._bar = StatusBar(self._dark)
        self._notice = ui.label().classes("notice").props('role="alert"')
        self._main = ui.element("main").classes("panels")
        with self._main:
            self._panels = _panels(acknowledge)
        self._refresh()
        ui.timer(REFRESH_S, self._refresh)

    def _refresh(self) -> None:
        self._bar.show(statuses(self._feed))
        self._notice.text = notice(self._feed)
        self._notice.set_visibility(bool(self._notice.text))
        old = bool(self._notice.text) and self._feed.view.run is not None
        self._notice.classes(add="bad" if old else "", remove="" if old else "bad")
        self._main.classes(replace="panels stale" if old else "panels")
        for number, panel in enumerate(self._panels):
            self._refresh_panel(number, panel)

    def _refresh_panel(self, number: int, panel: Panel) -> None:
        view = self._feed.view
        state = (self._dark.value, *(view.revisions[topic] for topic in panel.topics))
        if self._drawn.get(number) != state:
            self._drawn[number] = state
            panel.show(view, DARK if self._dark.value else LIGHT)


def _panels(acknowledge: Acknowledge | None) -> list[Panel]:
    """The panels in reading order."""
    return [
        ChartPanel(
            "Thickness", "thickness", thickness_chart, thickness_readout, ("thickness", "slice", "run")
        ),
        SlicePanel(),
        VolumePanel(),
        ChartPanel("Metrics", "metrics", metrics_chart, metrics_readout, ("metrics",)),
        ChartPanel("Drift", "drift", drift_chart, drift_readout, ("drift",)),
        AlarmPanel(acknowledge),
    ]
