"""The slice viewer: the voltages aligned, side by side or blinking, any slice of the run, at any size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from nicegui import background_tasks, ui

from daemon.errors import WireError
from daemon.monitor.chart_panel import heading
from daemon.monitor.look import (
    ALL,
    BLINK,
    LONGEST_PX,
    NOTHING,
    SEGMENTATION,
    UNCERTAINTY,
    Look,
    channel_names,
    has_images,
    shown_index,
    slice_indices,
    slice_panes,
)
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import Palette
from daemon.monitor.panes import Panes
from daemon.monitor.readouts import slice_readout
from daemon.view import RunView

SMALL_PX = 384  # thrice the width of a picture on the overview of a laptop
NONE_YET, ON_ITS_WAY = "No slice yet", "The picture is on its way"
NOTHING_THERE = "There is no picture of this slice"


class SlicePanel:
    """``large`` has all the switches; the small one of the overview shows the newest slice."""

    topics: tuple[str, ...] = ("preview", "slice")

    def __init__(self, microscope: Microscope, *, large: bool) -> None:
        self._microscope = microscope
        self._look = Look(whole=large, longest_px=LONGEST_PX if large else SMALL_PX)
        self._learning = False
        self._trouble = ""
        with ui.element("section").classes("panel slice").props('aria-label="Slice"'):
            with ui.row().classes("title"):
                heading("Slice")
                if large:
                    self._navigator()
                self._readout = ui.label().classes("readout")
                ui.space()
                self._layouts = self._choice("Pictures", [ALL, BLINK], ALL, "layout")
                if large:
                    self._choice("Overlay", [NOTHING, SEGMENTATION, UNCERTAINTY], SEGMENTATION, "overlay")
                    self._switch("whole image", "whole")
                    self._switch("marks", "marks")
                else:
                    self._choice("Overlay", [NOTHING, SEGMENTATION], SEGMENTATION, "overlay")
            self._panes = Panes("images of the slice", zoomable=large)
            self._empty = ui.label().classes("empty")
        self._draw()

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Draw the slice that is looked at, the newest unless another was chosen.

        An earlier one stays as it is once there is nobody to ask for it again.
        """
        names = [ALL, BLINK, *channel_names(microscope.feed.view)]
        if self._layouts.options != names:
            self._layouts.set_options(names, value=ALL)
        if self._look.index is None or not microscope.feed.away:
            self._draw(is_news=True)

    def step(self, by: int) -> None:
        """Go to an earlier (negative) or later slice; past the last one is following again."""
        indices = slice_indices(self._microscope.feed.view)
        now = shown_index(self._microscope.feed.view, self._look)
        if not indices or now is None:
            return
        at = max(0, sum(index <= now for index in indices) - 1 + by)
        self._go(indices[at] if at < len(indices) - 1 else None)

    def toggle_blink(self) -> None:
        """Blink, or stop blinking."""
        self._layouts.set_value(ALL if self._look.layout == BLINK else BLINK)

    def _navigator(self) -> None:
        for icon, name, by in (("chevron_left", "Earlier slice", -1), ("chevron_right", "Later slice", 1)):
            ui.button(color=None, icon=icon, on_click=partial(self.step, by)).props(
                f'flat dense aria-label="{name}" title="{name}"'
            )
        self._number = ui.number(
            min=0, format="%d", on_change=lambda change: self._typed(change.value)
        ).props('dense outlined borderless aria-label="Slice number" debounce=400')
        self._number.classes("number")
        self._newest = ui.button("newest", color=None, on_click=lambda: self._go(None)).props(
            "dense no-caps unelevated"
        )

    def _choice(self, name: str, options: list[str], value: str, field: str) -> ui.toggle:
        def chosen(text: object) -> None:
            self._look = replace(self._look, **{field: str(text)})
            self._draw()

        toggle = ui.toggle(options, value=value, on_change=lambda change: chosen(change.value))
        return toggle.props(f'dense no-caps unelevated aria-label="{name}"')

    def _switch(self, name: str, field: str) -> None:
        def switched(value: object) -> None:
            self._look = replace(self._look, **{field: bool(value)})
            self._draw()

        ui.switch(name, value=bool(getattr(self._look, field)), on_change=lambda c: switched(c.value)).props(
            "dense"
        )

    def _typed(self, value: object) -> None:
        shown = shown_index(self._microscope.feed.view, self._look)
        if isinstance(value, int | float) and int(value) != shown:
            self._go(int(value))

    def _go(self, index: int | None) -> None:
        self._look = replace(self._look, index=index)
        self._draw()

    def _draw(self, *, is_news: bool = False) -> None:
        view = self._microscope.feed.view
        index = shown_index(view, self._look)
        self._readout.text = slice_readout(view, index, follows=self._look.index is None)
        panes = slice_panes(self._microscope, self._look)
        self._panes.show(panes, blink=self._look.layout == BLINK, is_news=is_news)
        self._panes.set_visibility(bool(panes))
        self._empty.text = self._why_empty(view, index)
        self._empty.set_visibility(not panes)
        if hasattr(self, "_number") and self._number.value != index:
            self._number.set_value(index)
        names = channel_names(view)
        if self._learning or self._microscope.frame is not None or not names or index is None:
            return
        if has_images(view, index):
            self._learning = True
            background_tasks.create(self._learn(index, names[0]))

    def _why_empty(self, view: RunView, index: int | None) -> str:
        if view.preview is None or index is None:
            return NONE_YET
        return self._trouble or ON_ITS_WAY if has_images(view, index) else NOTHING_THERE

    async def _learn(self, index: int, channel: str) -> None:
        """The first time, how large the images are."""
        try:
            await self._microscope.learn_frame(index, channel)
            self._trouble = ""
        except WireError as error:  # the daemon is gone or cannot read it; the next slice tries again
            self._trouble = str(error)
        finally:
            self._draw()  # still learning: what cannot be read now is not asked for again at once
            self._learning = False
