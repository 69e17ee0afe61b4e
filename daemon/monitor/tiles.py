"""Several microscopes on one page: a tile for each, to be read from across the room; a click opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from daemon.monitor.alarms import waiting
from daemon.monitor.live_chart import LiveChart
from daemon.monitor.microscope import Microscope
from daemon.monitor.page import add_style
from daemon.monitor.palette import DARK, LIGHT
from daemon.monitor.status import statuses
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
        self._values: dict[str, tuple[ui.element, ui.label]] = {}

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
        """Fields that are made once and then only change their words."""
        shown = [status for status in statuses(self._microscope.feed) if status.name in FIELDS]
        if [status.name for status in shown] != list(self._values):
            self._fields.clear()
            self._values = {status.name: self._field(status.name) for status in shown}
        for status in shown:
            field, value = self._values[status.name]
            value.text = status.value
            field.classes(replace=f"field {status.tone}")

    def _field(self, name: str) -> tuple[ui.element, ui.label]:
        with self._fields, ui.element("div") as field:
            ui.label(name).classes("key")
            return field, ui.label().classes("value")


def tiles_page(microscopes: Sequence[Microscope], settings: Mapping[str, str]) -> None:
    """The overview of all microscopes: the gravest verdict is in the title, a new alarm makes a sound."""
    add_style()
    dark = ui.dark_mode(value=settings.get("slicewatch_theme", "dark") == "dark")
    with ui.element("header").classes("bar all"):
        ui.label("slicewatch").classes("brand").props('role="heading" aria-level="1"')
        ui.label(f"{len(microscopes)} microscopes").classes("reason")
    with ui.element("main").classes("tiles"):
        tiles = [Tile(microscope) for microscope in microscopes]

    heard = _alarms(microscopes)

    def refresh() -> None:
        alarms = _alarms(microscopes)
        if alarms - heard and settings.get("slicewatch_sound", "on") == "on":
            ui.run_javascript("slicewatch.beep()")
        heard.update(alarms)
        verdicts = [tile.show(dark=bool(dark.value)) for tile in tiles]
        gravest = next(verdict for verdict in ORDER if verdict in verdicts)
        ui.page_title(f"{SHAPES[gravest]} {gravest} · slicewatch")

    refresh()
    for microscope in microscopes:
        microscope.changed.subscribe(refresh)
    ui.timer(AGE_S, refresh)


def _alarms(microscopes: Sequence[Microscope]) -> set[tuple[int, str]]:
    """What nobody has acknowledged at any of them."""
    return {(one.number, alarm.id) for one in microscopes for alarm in waiting(one)}
