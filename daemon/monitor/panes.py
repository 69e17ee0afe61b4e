"""Pictures in a frame of nanometres, as the browser draws them: see ``panes.js``.

A box is (x, y, width, height) in nm of the frame, y down. All pictures of an element are panned and zoomed
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture at ``href`` that fills ``box``; ``kind`` is its CSS class.

    ``absent`` is what the caption says when there is no such picture.
    """

    kind: str
    href: str
    box: Box
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Sharp:
    """Where parts of a layer can be had at any size: ``url?y=&x=&height=&width=&step=``, in its px.

    ``origin`` is the layer's corner (x, y) in nm, ``pixel_nm`` and ``shape`` are (y, x), and ``shown_nm`` is
    the size of a pixel of the picture that is shown before anybody zooms.
    """

    kind: str
    url: str
    origin: tuple[float, float]
    pixel_nm: tuple[float, float]
    shape: tuple[int, int]
    shown_nm: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle over the picture, with a vertical line ``at`` its centre if it is a bar's."""

    kind: str
    box: Box
    used: bool
    title: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Pane:
    """One picture: layers on top of each other, marks over them, ``box`` the part to be seen at first.

    ``cross`` (x, y) are hair lines.
    """

    name: str
    caption: str
    box: Box
    layers: tuple[Layer, ...]
    marks: tuple[Mark, ...] = ()
    sharp: tuple[Sharp, ...] = ()
    cross: tuple[float, float] | None = None


class Panes(ui.element, component="panes.js"):
    """Pictures side by side, or one after the other when they blink.

    ``on_point`` is told the pane's name and (x, y) in nm of a click that was no drag.
    """

    def __init__(
        self,
        label: str,
        on_point: Callable[[str, float, float], None] | None = None,
        *,
        zoomable: bool = True,
    ) -> None:
        super().__init__()
        self._shown: tuple[Pane, ...] = ()
        self._props.update(panes=[], patient=False, blink=False, label=label, zoomable=zoomable)
        self._props["pointing"] = on_point is not None

        def pointed(event: GenericEventArguments) -> None:
            told: dict[str, Any] = event.args
            if on_point is not None:
                on_point(str(told["pane"]), float(told["x"]), float(told["y"]))

        self.on("point", pointed)

    def show(self, panes: Sequence[Pane], *, blink: bool = False, is_news: bool = False) -> None:
        """Draw these; nothing is sent when nothing has changed. News come after the numbers beside them."""
        if tuple(panes) == self._shown and blink == self._props["blink"]:
            return
        self._shown = tuple(panes)
        self._props["panes"] = [asdict(pane) for pane in panes]
        self._props["patient"] = is_news
        self._props["blink"] = blink
        self.update()
