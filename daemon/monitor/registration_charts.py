"""Charts of registration: how far each image was moved, and how well it was recognised."""

from __future__ import annotations

import math

from daemon.items import Status
from daemon.messages import ChannelPlacement, SliceMessage
from daemon.monitor.chart_frame import Options, dots, frame, line
from daemon.monitor.palette import Palette
from daemon.view import RunView


def shifts_chart(view: RunView, palette: Palette) -> Options:
    """Shift of every image, px: solid down the image (y), dashed across it (x)."""
    told = registered(view)
    options = frame(palette, "slice", "shift / px")
    for k, name in enumerate(_channels(told)):
        colour = palette.series[k % len(palette.series)]
        placed = [(m.index, m.channels.get(name)) for m in told]
        options["series"] += [
            line(f"{name} y", [(i, p.dy_px if p else math.nan) for i, p in placed], colour),
            line(f"{name} x", [(i, p.dx_px if p else math.nan) for i, p in placed], colour, "dashed"),
        ]
    options["xAxis"]["minInterval"] = 1
    return options


def quality_chart(view: RunView, palette: Palette) -> Options:
    """Quality of every image's registration, 0…1; those without a fiducial have a mark of their own."""
    told = registered(view)
    options = frame(palette, "slice", "quality, 0…1", digits=3)
    for k, name in enumerate(_channels(told)):
        colour = palette.series[k % len(palette.series)]
        placed = [(m.index, m.channels[name]) for m in told if name in m.channels]
        dash = ("solid", "dashed", "dotted")[k % 3]
        options["series"].append(line(name, [(i, p.quality) for i, p in placed], colour, dash))
    elsewhere = [(m.index, _poorest(m).quality) for m in told if _poorest(m).source != "fiducial"]
    if elsewhere:
        options["series"].append(dots("not on fiducials", elsewhere, palette.limit, "triangle", 8))
    options["yAxis"] |= {"min": 0, "max": 1}
    options["xAxis"]["minInterval"] = 1
    return options


def registered(view: RunView) -> list[SliceMessage]:
    """Slices whose images were registered, in order."""
    told = (view.slices[index] for index in sorted(view.slices))
    return [message for message in told if message.status is not Status.GAP and message.channels]


def _channels(told: list[SliceMessage]) -> list[str]:
    return list(told[-1].channels) if told else []


def _poorest(message: SliceMessage) -> ChannelPlacement:
    return min(message.channels.values(), key=lambda placed: (placed.source == "fiducial", placed.quality))
