"""A chart as the browser draws it: see ``live_chart.js``."""

from __future__ import annotations

from importlib import import_module

from nicegui import ui

import_module("nicegui.elements.echart")  # registers the library that live_chart.js imports


class LiveChart(ui.element, component="live_chart.js"):
    """Shows what lies at an address; another address is another state of the run."""

    def __init__(self) -> None:
        super().__init__()
        self._props["address"] = ""
        self.classes("chart")

    def show(self, address: str) -> None:
        """Draw what is there; nothing is sent when it is drawn already."""
        if self._props["address"] != address:
            self._props["address"] = address
            self.update()
