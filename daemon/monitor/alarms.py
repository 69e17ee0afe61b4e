"""The alarms: those that nobody has acknowledged first, then the newest.

Each stands with its measurement, its limit and its remedy, and with a button to acknowledge it by name.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from nicegui import ui

from daemon.errors import WireError
from daemon.messages import AlarmMessage
from daemon.monitor.palette import Palette
from daemon.view import RunView

Acknowledge = Callable[[str, str], Awaitable[None]]  # alarm's identifier, who
SHOWN = 100


class AlarmPanel:
    """The list of alarms; without ``acknowledge`` it is for reading only."""

    topics: tuple[str, ...] = ("alarm",)

    def __init__(self, acknowledge: Acknowledge | None) -> None:
        self._acknowledge = acknowledge
        self._who = ""
        with ui.element("section").classes("panel alarms"):
            with ui.row().classes("title no-wrap items-center"):
                ui.label("Alarms").classes("name")
                self._readout = ui.label().classes("readout")
            self._list = ui.element("div").classes("list").props('role="log" aria-live="polite"')

    def show(self, view: RunView, palette: Palette) -> None:
        """List what has come, the page's title counting what nobody has acknowledged."""
        newest_first = list(view.alarms.values())[::-1]
        alarms = sorted(newest_first, key=lambda alarm: bool(alarm.acknowledged_by))
        waiting = sum(not alarm.acknowledged_by for alarm in alarms)
        self._readout.text = f"{waiting} not acknowledged" if waiting else "none waiting"
        ui.page_title(f"({waiting}) slicewatch" if waiting else "slicewatch")
        self._list.clear()
        with self._list:
            for alarm in alarms[:SHOWN]:
                self._entry(alarm)
            if not alarms:
                ui.label("No alarm so far").classes("empty")

    def _entry(self, alarm: AlarmMessage) -> None:
        with ui.element("div").classes(f"alarm {'seen' if alarm.acknowledged_by else 'waiting'}"):
            with ui.element("div").classes("what"):
                ui.label(f"Slice {alarm.slice_index}  ·  {alarm.kind}").classes("kind")
                ui.label(alarm.message)
                ui.label(comparison(alarm)).classes("remedy")
            if alarm.acknowledged_by:
                ui.label(f"seen by {alarm.acknowledged_by}").classes("by")
            elif self._acknowledge:
                ui.button("Acknowledge", on_click=lambda: self._ask_who(alarm.id)).props(
                    "dense outline no-caps"
                )

    def _ask_who(self, identifier: str) -> None:
        with ui.dialog(value=True) as dialog, ui.card():
            ui.label("Who acknowledges this alarm?")
            name = ui.input("Name", value=self._who).props("autofocus maxlength=80")

            async def confirm() -> None:
                self._who = str(name.value or "").strip()
                if self._who:
                    dialog.close()
                    await self._send(identifier)

            name.on("keydown.enter", confirm)
            with ui.row():
                ui.button("Acknowledge", on_click=confirm).props("no-caps")
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
        dialog.on("hide", dialog.delete)

    async def _send(self, identifier: str) -> None:
        if self._acknowledge is None:
            return
        try:
            await self._acknowledge(identifier, self._who)
        except WireError as error:
            ui.notify(str(error), type="negative")


def comparison(alarm: AlarmMessage) -> str:
    """Measurement against limit, then the remedy."""
    parts: list[str] = []
    if math.isfinite(alarm.measurement):
        limit = f", limit {alarm.limit:.4g}" if math.isfinite(alarm.limit) else ""
        parts.append(f"measured {alarm.measurement:.4g}{limit}")
    return "  ·  ".join([*parts, alarm.remedy] if alarm.remedy else parts)
