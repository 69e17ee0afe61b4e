"""The top of the page, to be read from across the room: verdict, reason, progress, and fields."""

from __future__ import annotations

import math

from nicegui import ui

from daemon.monitor.feed import Feed
from daemon.monitor.status import Status, share_done, statuses
from daemon.monitor.verdict import SHAPES, judge

LARGE = ("State", "Slice", "Time left")


class StatusBar:
    """Fields that are made once and then only change their words."""

    def __init__(self, home: str) -> None:
        self._fields: dict[str, tuple[ui.element, ui.label]] = {}
        self._shown: list[Status] = []
        with ui.element("header").classes("bar"):
            with ui.element("div").classes("glance"):
                with ui.element("div").classes("verdict").props('role="status"') as self._verdict:
                    self._shape = ui.label().classes("shape").props('aria-hidden="true"')
                    self._word = ui.label().classes("word")
                with ui.element("div").classes("why"):
                    with ui.link(target=home).classes("brand").props('aria-label="slicewatch, home"'):
                        ui.label("slicewatch").props('role="heading" aria-level="1"')
                    self._reason = ui.label().classes("reason")
                self._large = ui.element("div").classes("large")
            self._track = ui.element("div").classes("track").props('role="presentation"')
            with self._track:
                self._done = ui.element("div").classes("done")
            self._row = ui.element("div").classes("fields")

    def show(self, feed: Feed) -> None:
        """Show what the run has come to."""
        judgement = judge(feed)
        self._shape.text, self._word.text = SHAPES[judgement.verdict], judgement.verdict
        self._reason.text = judgement.reason
        self._verdict.classes(replace=f"verdict {judgement.verdict.lower()}")
        share = share_done(feed.view.run) if feed.view.run else math.nan
        self._done.style(f"width: {100 * share if math.isfinite(share) else 0:.1f}%")
        self._show_fields(statuses(feed))

    def _show_fields(self, shown: list[Status]) -> None:
        if shown == self._shown:
            return
        if [field.name for field in shown] != [field.name for field in self._shown]:
            self._build(shown)
        for status in shown:
            field, value = self._fields[status.name]
            value.text = status.value
            field.classes(replace=f"field {status.tone}").props(f'title="{_quoted(status.hint)}"')
        self._shown = shown

    def _build(self, shown: list[Status]) -> None:
        self._row.clear()
        self._large.clear()
        for status in shown:
            with self._large if status.name in LARGE else self._row, ui.element("div") as field:
                ui.label(status.name).classes("key")
                self._fields[status.name] = (field, ui.label().classes("value"))


def _quoted(text: str) -> str:
    """Text for a property's value: NiceGUI's little language ends it at a quote."""
    return text.replace("\\", "/").replace('"', "'")
