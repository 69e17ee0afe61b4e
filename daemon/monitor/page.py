"""The page of one browser onto one microscope: bar, notice, a view's panels, and news when they come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nicegui import ui
from nicegui.events import KeyEventArguments

from daemon.monitor.alarms import waiting
from daemon.monitor.commands import Commands
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import ACCENT, DARK, LIGHT
from daemon.monitor.slice_panel import SlicePanel
from daemon.monitor.status import notice
from daemon.monitor.status_bar import StatusBar
from daemon.monitor.verdict import SHAPES, judge
from daemon.monitor.views import VIEWS, Panel, view_named

AGE_S = 1.0  # with which times since something are counted up
HERE = Path(__file__).parent
SHORTCUTS = (
    ("1 … 6", "overview, thickness, slice, volume, metrics, alarms and control"),
    ("← →", "earlier, later slice"),
    ("B", "blink the voltages"),
    ("+ − 0", "zoom in, out, fit, where a picture has the focus; the arrows pan"),
    ("T", "light or dark"),
    ("M", "sound on or off"),
    ("?", "this list"),
)


def add_style() -> None:
    """What every page of the dashboard needs in its head."""
    ui.colors(primary=ACCENT)
    ui.add_css((HERE / "style.css").read_text(encoding="utf-8"))
    ui.add_head_html(f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>")


class Page:
    """``settings`` are the browser's cookies; ``commands`` None: for looking only."""

    def __init__(
        self,
        microscope: Microscope,
        commands: Commands | None,
        view: str,
        settings: Mapping[str, str],
        home: str,
    ) -> None:
        self._microscope = microscope
        self._commands = commands
        self._drawn: dict[int, tuple[object, ...]] = {}
        self._heard = {alarm.id for alarm in waiting(microscope)}
        self._sound = settings.get("slicewatch_sound", "on") == "on"
        self._title = ""
        self._ticked: tuple[object, ...] = ()
        add_style()
        self._dark = ui.dark_mode(value=settings.get("slicewatch_theme", "dark") == "dark")
        self._bar = StatusBar(home)
        self._navigation()
        self._notice = ui.label().classes("notice").props('role="alert"')
        self._main = ui.element("main")
        self._panels: list[Panel] = []
        ui.keyboard(self._key, ignore=["input", "select", "textarea"])
        self.open(view)
        microscope.changed.subscribe(self._tick)
        microscope.drawn_next.subscribe(self._show_panels)
        ui.timer(AGE_S, self._tick)

    def open(self, name: str) -> None:
        """Show another view."""
        self._view = view_named(name)
        self._main.clear()
        self._drawn.clear()
        with self._main:
            self._panels = list(self._view.panels(self._microscope, self._commands))
        for view, tab in self._tabs.items():
            current = view == self._view.name
            tab.props(f'aria-current="{"page" if current else "false"}"')
            tab.classes(add="current" if current else "", remove="" if current else "current")
        ui.navigate.history.replace(self._microscope.address(f"?view={self._view.name}"))
        self.refresh()

    def _tick(self) -> None:
        """Numbers anew when something was told, and every second for what grows with time."""
        feed = self._microscope.feed
        now = (sum(feed.view.revisions.values()), int(feed.silent_s), feed.trouble)
        if now != self._ticked:
            self._ticked = now
            self._show_numbers()

    def refresh(self) -> None:
        """Show what is new."""
        self._show_numbers()
        self._show_panels()

    def _show_numbers(self) -> None:
        """The bar, what is wrong, and alarms: what must be seen at once."""
        feed = self._microscope.feed
        self._bar.show(feed)
        text = notice(feed)
        self._notice.text = text
        self._notice.set_visibility(bool(text))
        is_old = bool(text) and feed.view.run is not None
        self._notice.classes(add="bad" if is_old else "", remove="" if is_old else "bad")
        self._main.classes(replace=f"panels {self._view.name}{' stale' if is_old else ''}")
        self._tell_alarms()

    def _show_panels(self) -> None:
        for number, panel in enumerate(self._panels):
            self._refresh_panel(number, panel)

    def _refresh_panel(self, number: int, panel: Panel) -> None:
        revisions = self._microscope.feed.view.revisions
        state = (self._dark.value, *(revisions[topic] for topic in panel.topics))
        if self._drawn.get(number) != state:
            self._drawn[number] = state
            panel.show(self._microscope, DARK if self._dark.value else LIGHT)

    def _tell_alarms(self) -> None:
        """Page title and sound: what reaches somebody who looks elsewhere."""
        alarms = {alarm.id for alarm in waiting(self._microscope)}
        if alarms - self._heard and self._sound:
            ui.run_javascript("slicewatch.beep()")
        self._heard |= alarms
        judgement = judge(self._microscope.feed)
        count = f"({len(alarms)}) " if alarms else ""
        title = f"{count}{SHAPES[judgement.verdict]} {judgement.verdict} · {self._microscope.name}"
        if title != self._title:
            self._title = title
            ui.page_title(title)

    def _navigation(self) -> None:
        with ui.element("nav").classes("tabs").props('aria-label="Views"'):
            self._tabs = {view.name: self._tab(number, view.name) for number, view in enumerate(VIEWS, 1)}
            ui.space()
            self._sound_button = ui.button(color=None, on_click=self._toggle_sound).props("flat round dense")
            self._name_sound()
            ui.button(color=None, icon="contrast", on_click=self._toggle_dark).props(
                'flat round dense aria-label="Light or dark" title="Light or dark (T)"'
            )
            ui.button(color=None, icon="keyboard", on_click=self._help).props(
                'flat round dense aria-label="Keys" title="Keys (?)"'
            )

    def _tab(self, number: int, name: str) -> ui.button:
        view = view_named(name)
        button = ui.button(view.title, color=None, icon=view.icon, on_click=lambda: self.open(name))
        return button.props(f'flat no-caps dense title="{view.title} ({number})"').classes("tab")

    def _key(self, event: KeyEventArguments) -> None:
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        key = event.key.name
        slices = [panel for panel in self._panels if isinstance(panel, SlicePanel)]
        if key.isdigit() and 1 <= int(key) <= len(VIEWS):
            self.open(VIEWS[int(key) - 1].name)
        elif key in ("ArrowLeft", "ArrowRight"):
            for panel in slices:
                panel.step(-1 if key == "ArrowLeft" else 1)
        elif key in ("b", "B"):
            for panel in slices:
                panel.toggle_blink()
        else:
            {"t": self._toggle_dark, "m": self._toggle_sound, "?": self._help}.get(key.lower(), _nothing)()

    def _toggle_dark(self) -> None:
        self._dark.toggle()
        _remember("theme", "dark" if self._dark.value else "light")
        self.refresh()

    def _toggle_sound(self) -> None:
        self._sound = not self._sound
        _remember("sound", "on" if self._sound else "off")
        self._name_sound()

    def _name_sound(self) -> None:
        name = "Sound on" if self._sound else "Sound off"
        self._sound_button.props(f'aria-label="{name}" title="{name} (M)"')
        self._sound_button.classes(replace=f"sound {'on' if self._sound else 'off'}")
        self._sound_button.icon = "volume_up" if self._sound else "volume_off"

    def _help(self) -> None:
        with ui.dialog(value=True) as dialog, ui.card().props('role="dialog" aria-label="Keys"'):
            ui.label("Keys").classes("question")
            with ui.element("dl").classes("keys"):
                for key, does in SHORTCUTS:
                    with ui.element("dt"):
                        ui.label(key)
                    with ui.element("dd"):
                        ui.label(does)
            ui.button("Close", color=None, on_click=dialog.close).props("flat no-caps")
        dialog.on("hide", dialog.delete)


def _remember(name: str, value: str) -> None:
    ui.run_javascript(f"slicewatch.remember('{name}', '{value}')")


def _nothing() -> None:
    """For the keys that mean nothing here."""
