"""The alarms: those that nobody has acknowledged first, then the newest.

Each stands with its measurement, its limit and its remedy, and with a button to acknowledge it by name.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from nicegui import ui

from daemon.errors import WireError
from daemon.messages import AlarmMessage
from daemon.monitor.chart_panel import heading
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import Palette
from daemon.monitor.verdict import is_grave

Acknowledge = Callable[[str], Awaitable[None]]  # the alarm's identifier
SHOWN = 100


class AlarmPanel:
    """The list of alarms; without ``acknowledge`` it is for reading only."""

    topics: tuple[str, ...] = ("alarm",)

    def __init__(self, acknowledge: Acknowledge | None) -> None:
        self._acknowledge = acknowledge
        self._shown: list[AlarmMessage] = []
        with ui.element("section").classes("panel alarms").props('aria-label="Alarms"'):
            with ui.row().classes("title"):
                heading("Alarms")
                self._readout = ui.label().classes("readout")
            self._list = (
                ui.element("div").classes("list").props('role="log" tabindex="0" aria-label="Alarms"')
            )

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """List what has come."""
        newest_first = list(microscope.feed.view.alarms.values())[::-1]
        alarms = sorted(newest_first, key=lambda alarm: bool(alarm.acknowledged_by))
        if alarms and alarms == self._shown:
            return
        self._shown = alarms
        count = len(waiting(microscope))
        self._readout.text = f"{count} not acknowledged" if count else "none waiting"
        self._list.clear()
        with self._list:
            for alarm in alarms[:SHOWN]:
                self._entry(alarm)
            if not alarms:
                ui.label("No alarm so far").classes("empty")
            if len(alarms) > SHOWN:
                ui.label(f"{len(alarms) - SHOWN} earlier ones stand in the report").classes("empty")

    def _entry(self, alarm: AlarmMessage) -> None:
        kind = "seen" if alarm.acknowledged_by else "grave" if is_grave(alarm) else "waiting"
        shape = {"seen": "✓", "grave": "■", "waiting": "▲"}[kind]
        with ui.element("div").classes(f"alarm {kind}"):
            ui.label(shape).classes("shape").props('aria-hidden="true"')
            with ui.element("div").classes("what"):
                slice_ = f"Slice {alarm.slice_index}  ·  " if alarm.slice_index else ""
                ui.label(slice_ + alarm.kind).classes("kind")
                ui.label(alarm.message)
                ui.label(comparison(alarm)).classes("remedy")
            if alarm.acknowledged_by:
                ui.label(f"seen by {alarm.acknowledged_by}").classes("by")
            elif self._acknowledge:
                ui.button("Acknowledge", color=None, on_click=lambda: self._send(alarm.id)).props(
                    "dense outline no-caps"
                )

    async def _send(self, identifier: str) -> None:
        if self._acknowledge is None:
            return
        try:
            await self._acknowledge(identifier)
        except WireError as error:
            ui.notify(str(error), type="negative")


def waiting(microscope: Microscope) -> list[AlarmMessage]:
    """The alarms that nobody has acknowledged."""
    return [alarm for alarm in microscope.feed.view.alarms.values() if not alarm.acknowledged_by]


def comparison(alarm: AlarmMessage) -> str:
    """Measurement against limit, then the remedy."""
    parts: list[str] = []
    if math.isfinite(alarm.measurement):
        limit = f", limit {alarm.limit:.4g}" if math.isfinite(alarm.limit) else ""
        parts.append(f"measured {alarm.measurement:.4g}{limit}")
    return "  ·  ".join([*parts, alarm.remedy] if alarm.remedy else parts)
