"""What a person may tell the daemon from the page: each command with the name of who gives it.

A page outlives the session that opened it, so the right to command is asked for at every click.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nicegui import ui

from daemon.client import Client
from daemon.errors import SlicewatchError
from daemon.monitor.microscope import Microscope


@dataclass(slots=True)
class Commands:
    """Commands of one page. ``require_right`` raises where the browser may command no longer."""

    microscope: Microscope
    require_right: Callable[[], None]
    who: str = ""
    _asking: list[ui.dialog] = field(default_factory=list[ui.dialog])

    async def acknowledge(self, alarm: str) -> None:
        """Say that this person has seen an alarm."""
        await self._give("acknowledged", lambda client, by: client.acknowledge(alarm, by))

    async def arm(self) -> None:
        """Let an alarm of drift stop the microscope."""
        await self._give("armed", lambda client, by: client.arm(by))

    async def disarm(self) -> None:
        """Let an alarm of drift only tell."""
        await self._give("disarmed", lambda client, by: client.disarm(by))

    async def pause(self) -> None:
        """End the daemon's work after the slice in hand; started again, it goes on where it was."""
        await self._give("asked to stop", lambda client, by: client.stop(by, "asked for on the dashboard"))

    async def abort(self) -> None:
        """Stop the microscope."""
        await self._give("abort sent", lambda client, by: client.abort(by, "asked for on the dashboard"))

    async def _give(self, done: str, command: Callable[[Client, str], None]) -> None:
        if not self.who:
            await self.ask_name()
        if not self.who:
            return
        try:
            self.require_right()
            await self.microscope.command(lambda client: command(client, self.who))
        except SlicewatchError as error:
            ui.notify(str(error), type="negative", timeout=10_000)
        else:
            ui.notify(f"{done}, by {self.who}", type="positive")

    async def ask_name(self) -> None:
        """Ask for the person's name: once per page, unless somebody else sits down before it."""
        with ui.dialog(value=True) as dialog, ui.card().props('role="dialog" aria-label="Your name"'):
            ui.label("Who are you? The name goes on record with every command.")
            name = ui.input("Name").props("autofocus maxlength=80")

            def confirm() -> None:
                dialog.submit(str(name.value or "").strip())

            name.on("keydown.enter", confirm)
            with ui.row():
                ui.button("Continue", color=None, on_click=confirm).props("no-caps")
                ui.button("Cancel", color=None, on_click=dialog.close).props("flat no-caps")
        self.who = str(await dialog or "") or self.who
        dialog.delete()
