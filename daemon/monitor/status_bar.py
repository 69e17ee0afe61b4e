"""The line at the top of the page."""

from __future__ import annotations

from nicegui import ui

from daemon.monitor.status import Status


class StatusBar:
    """Fields that are made once and then only change their words; ``dark`` is toggled from here."""

    def __init__(self, dark: ui.dark_mode) -> None:
        self._fields: dict[str, tuple[ui.element, ui.label]] = {}
        self._shown: list[Status] = []
        with ui.element("header").classes("bar"):
            with ui.element("div").classes("brand"):
                ui.label("slicewatch").classes("word")
            self._row = ui.element("div").classes("fields")
            ui.button(icon="contrast", on_click=dark.toggle).props(
                'flat round dense aria-label="Light or dark"'
            )

    def show(self, shown: list[Status]) -> None:
        """Show these fields."""
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
        with self._row:
            for status in shown:
                with ui.element("div") as field:
                    ui.label(status.name).classes("key")
                    self._fields[status.name] = (field, ui.label().classes("value"))


def _quoted(text: str) -> str:
    """Text for a property's value: NiceGUI's little language ends it at a quote."""
    return text.replace("\\", "/").replace('"', "'")
