"""Several microscopes on one page: a tile for each, to be read from across the room; a click opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from daemon.monitor.live_chart import LiveChart
from daemon.monitor.microscope import Microscope
from daemon.monitor.page import add_style
from daemon.monitor.palette import DARK, LIGHT
from daemon.monitor.status import Tone, statuses
from daemon.monitor.verdict import SHAPES, Verdict, judge

AGE_S = 1.0  # with which times since something are counted up
FIELDS = ("State", "Slice", "Time left", "Last image", "Abort")
ORDER = (Verdict.ACT, Verdict.LOOK, Verdict.GOOD)


class Tile:
    """One microscope: verdict, reason, progress, and its thickness."""

    def __init__(self, microscope: Microscope) -> None:
        self._microscope = microscope
        with ui.link(target=microscope.address("")).classes("tile"):
            with ui.element("div").classes("verdict") as self._verdict:
                self._shape = ui.label().classes("shape").props('aria-hidden="true"')
                self._word = ui.label().classes("word")
                self._name = ui.label().classes("name").props('role="heading" aria-level="2"')
            self._reason = ui.label().classes("reason")
            self._fields = ui.element("div").classes("fields")
            self._chart = LiveChart()

    def show(self, *, dark: bool) -> Verdict:
        """Show what the run has come to."""
        feed = self._microscope.feed
        judgement = judge(feed)
        self._shape.text, self._word.text = SHAPES[judgement.verdict], judgement.verdict
        self._name.text, self._reason.text = self._microscope.name, judgement.reason
        self._verdict.classes(replace=f"verdict {judgement.verdict.lower()}")
        self._show_fields()
        self._chart.show(self._microscope.chart_address("recent-thickness", DARK if dark else LIGHT))
        return judgement.verdict

    def _show_fields(self) -> None:
        shown = [status for status in statuses(self._microscope.feed) if status.name in FIELDS]
        if getattr(self, "_told", None) == shown:
            return
        self._told = shown
        self._fields.clear()
        with self._fields:
            for status in shown:
                with ui.element("div").classes(f"field {status.tone or Tone.PLAIN}"):
                    ui.label(status.name).classes("key")
                    ui.label(status.value).classes("value")


def tiles_page(microscopes: Sequence[Microscope], settings: Mapping[str, str]) -> None:
    """The overview of all microscopes; the gravest verdict is in the page's title."""
    add_style()
    dark = ui.dark_mode(value=settings.get("slicewatch_theme", "dark") == "dark")
    with ui.element("header").classes("bar all"):
        ui.label("slicewatch").classes("brand").props('role="heading" aria-level="1"')
        ui.label(f"{len(microscopes)} microscopes").classes("reason")
    with ui.element("main").classes("tiles"):
        tiles = [Tile(microscope) for microscope in microscopes]

    def refresh() -> None:
        verdicts = [tile.show(dark=bool(dark.value)) for tile in tiles]
        gravest = next(verdict for verdict in ORDER if verdict in verdicts)
        ui.page_title(f"{SHAPES[gravest]} {gravest} · slicewatch")

    refresh()
    for microscope in microscopes:
        microscope.changed.subscribe(refresh)
    ui.timer(AGE_S, refresh)
