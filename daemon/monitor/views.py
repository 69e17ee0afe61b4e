"""The views of a microscope's page: which panels stand on each, and the key that opens it.

A view's panels are made when it is opened and gone when it is left: what nobody looks at costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from daemon.monitor.alarms import AlarmPanel
from daemon.monitor.chart_panel import ChartPanel
from daemon.monitor.commands import Commands
from daemon.monitor.controls import ControlPanel
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import Palette
from daemon.monitor.readouts import (
    drift_readout,
    histogram_readout,
    metrics_readout,
    registration_readout,
    solid_readout,
    thickness_readout,
)
from daemon.monitor.slice_panel import SlicePanel
from daemon.monitor.surface_panel import SurfacePanel
from daemon.monitor.volume_panel import VolumePanel


class Panel(Protocol):
    """Something that shows a part of the run and says which topics change it."""

    topics: tuple[str, ...]

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Draw it."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A page's layout: ``name`` is in the address and in the style sheet."""

    name: str
    title: str
    icon: str
    panels: Callable[[Microscope, Commands | None], Sequence[Panel]]


def _thickness(chart: str) -> ChartPanel:
    return ChartPanel("Thickness", "thickness", chart, thickness_readout)


def _drift(chart: str) -> ChartPanel:
    return ChartPanel("Drift", "drift", chart, drift_readout)


def _alarms(commands: Commands | None) -> AlarmPanel:
    return AlarmPanel(commands.acknowledge if commands else None)


def _overview(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return (
        _thickness("recent-thickness"),
        SlicePanel(microscope, large=False),
        VolumePanel(microscope, linked=False),
        ChartPanel("Metrics", "metrics", "metrics", metrics_readout),
        _drift("recent-drift"),
        _alarms(commands),
    )


def _milling(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return (
        _thickness("thickness"),
        ChartPanel("Distribution", "histogram", "histogram", histogram_readout),
        _drift("drift"),
        ChartPanel("Registration", "shifts", "shifts", registration_readout),
        ChartPanel("Quality of registration", "quality", "quality"),
    )


def _slice(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return (SlicePanel(microscope, large=True),)


def _volume(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return VolumePanel(microscope, linked=True), SurfacePanel(microscope)


def _metrics(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return (
        ChartPanel("Anisotropy", "anisotropy", "anisotropy", metrics_readout),
        ChartPanel("Solid fraction", "solid", "solid", solid_readout),
        ChartPanel("Two-point correlation", "tpcf", "two-point"),
        ChartPanel("Lineal path", "lpf", "lineal-path"),
        ChartPanel("Ligaments", "ligaments", "ligaments"),
    )


def _control(microscope: Microscope, commands: Commands | None) -> Sequence[Panel]:
    return _alarms(commands), ControlPanel(commands)


VIEWS = (
    View("overview", "Overview", "dashboard", _overview),
    View("thickness", "Thickness", "layers", _milling),
    View("slice", "Slice", "image", _slice),
    View("volume", "Volume", "view_in_ar", _volume),
    View("metrics", "Metrics", "insights", _metrics),
    View("alarms", "Alarms & control", "notifications", _control),
)


def view_named(name: str) -> View:
    """The view of that name; the overview where there is none."""
    return next((view for view in VIEWS if view.name == name), VIEWS[0])
