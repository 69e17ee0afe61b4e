"""The controls: arm, disarm, pause, abort. Stopping a microscope takes a word that has to be typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from daemon.items import RunState
from daemon.monitor.chart_panel import heading
from daemon.monitor.commands import Commands
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import Palette

WORD = "ABORT"
Act = Callable[[], Awaitable[None]]


class ControlPanel:
    """Without ``commands`` it says how to get the right to command."""

    topics: tuple[str, ...] = ("run",)

    def __init__(self, commands: Commands | None) -> None:
        self._commands = commands
        with ui.element("section").classes("panel controls").props('aria-label="Controls"'):
            with ui.row().classes("title"):
                heading("Controls")
                self._readout = ui.label().classes("readout")
            if commands is None:
                ui.label("For looking only: log in to arm, pause or abort.").classes("empty")
                ui.link("Log in", "/login").classes("login")
            else:
                self._buttons(commands)

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Offer what can be done now."""
        told = microscope.feed.view.run
        if told is None:
            return
        self._readout.text = (
            "armed: drift stops the microscope" if told.armed else "drift only raises an alarm"
        )
        if self._commands is None:
            return
        runs = told.state is not RunState.FINISHED
        self._arm.set_enabled(runs and not told.armed)
        self._disarm.set_enabled(runs and told.armed)
        for button in (self._pause, self._abort):
            button.set_enabled(runs)

    def _buttons(self, commands: Commands) -> None:
        self._arm = _button("Arm", "gpp_good", "An alarm of drift will stop the microscope.")
        self._arm.on_click(commands.arm)
        self._disarm = _button("Disarm", "gpp_maybe", "An alarm of drift will only tell.")
        self._disarm.on_click(commands.disarm)
        self._pause = _button("Pause slicewatch", "pause", "Ends after this slice; the microscope goes on.")
        self._pause.on_click(lambda: self._confirm(commands, "Pause slicewatch", commands.pause, None))
        self._abort = _button("Abort the run", "dangerous", "Stops the microscope now.").classes("danger")
        self._abort.props(remove="outline")  # for which Quasar forbids the ground that its white letters need
        self._abort.on_click(lambda: self._confirm(commands, "Abort the run", commands.abort, WORD))

        with ui.row().classes("giver"):
            ui.label().bind_text_from(commands, "who", backward=_of_whom)
            another = ui.button("Another name", color=None, on_click=commands.ask_name)
            another.props("flat dense no-caps").bind_visibility_from(commands, "who", backward=bool)

    async def _confirm(self, commands: Commands, name: str, act: Act, word: str | None) -> None:
        """Ask once more, for a typed word where what follows cannot be taken back."""
        with ui.dialog(value=True) as dialog, ui.card().props(f'role="dialog" aria-label="{name}"'):
            ui.label(f"{name}?").classes("question")
            typed = None
            if word:
                ui.label(f"This stops the microscope at {commands.microscope.name}. Type {word} to confirm.")
                typed = ui.input(f"Type {word}").props("autofocus autocomplete=off")
            else:
                ui.label("slicewatch ends after the slice in hand. Started again, it goes on from there.")
            with ui.row():
                go = (
                    ui.button(name, color=None, on_click=lambda: dialog.submit(True))
                    .props("no-caps")
                    .classes("danger")
                )
                ui.button("Cancel", color=None, on_click=dialog.close).props("flat no-caps")
            if typed is not None:
                go.bind_enabled_from(typed, "value", backward=lambda text: text == word)
        confirmed = await dialog
        dialog.delete()
        if confirmed:
            await act()


def _of_whom(who: str) -> str:
    return f"Commands of this page are {who}'s." if who else "Every command goes on record with a name."


def _button(name: str, icon: str, hint: str) -> ui.button:
    with ui.element("div").classes("control"):
        button = ui.button(name, color=None, icon=icon).props("no-caps outline")
        ui.label(hint).classes("hint")
    return button
