"""The configuration that a user would write for an emulated run: what can be seen in its first images."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from daemon.emulator.layout import CrossLayout, Layout, RulerLayout, lay_out
from daemon.emulator.plan import Plan, plan_run
from daemon.emulator.ruler_lanes import RulerMark
from daemon.emulator.settings import EmulatorSettings
from daemon.sample_kind import SampleKind

FRAME_SHARE = 1.25
"""A user draws the box of a fiducial so much larger than its cross."""
SEARCH_MARGIN_PX = 12


def configuration_table(settings: EmulatorSettings, folder: Path, output: Path) -> dict[str, Any]:
    """A table for ``daemon.config.parse``: whole px, as read from the first reference image.

    Raises ConfigurationError if the images are too small for the run.
    """
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    x, y, width, height = layout.roi
    table: dict[str, Any] = {
        "run": {"folder": str(folder), "output": str(output), "expected_slices": settings.slices},
        "channels": _channels(settings),
        "geometry": {
            "tilt_deg": settings.tilt_deg,
            "target_thickness_nm": settings.milling.target_nm,
            "roi": {"x": x, "y": y, "width": width, "height": height},
        },
        "fiducials": _fiducials(settings, layout, plan),
    }
    if settings.sample.kind is SampleKind.ELECTRODE:
        table["volume"] = {"grid_nm": settings.milling.target_nm / 2}
    if settings.ruler is not None and layout.ruler is not None:
        table["ruler"] = _ruler(layout.ruler, settings.ruler.polarity)
    return table


def _channels(settings: EmulatorSettings) -> list[dict[str, Any]]:
    """Told apart by their detectors where they have some, else by their voltages."""
    channels: list[dict[str, Any]] = []
    for number, name in enumerate(settings.channel_names):
        told = {"detector": name} if settings.detectors else {"voltage_kv": settings.voltages_kv[number]}
        reference = {"reference": True} if number == settings.reference_channel else {}
        channels.append({"name": name, **told, **reference})
    return channels


def _fiducials(settings: EmulatorSettings, layout: Layout, plan: Plan) -> list[dict[str, Any]]:
    fiducials: list[dict[str, Any]] = []
    if layout.face_cross is not None:
        reach = float(np.abs(plan.shifts_px).max())
        fiducials.append(_fiducial(settings, layout.face_cross, reach, "face"))
    if layout.surface_cross is not None:
        reach = float(np.abs(plan.surface_shifts_px).max())
        fiducials.append(_fiducial(settings, layout.surface_cross, reach, "surface"))
    return fiducials


def _fiducial(settings: EmulatorSettings, cross: CrossLayout, reach: float, on: str) -> dict[str, Any]:
    (y, x), (arm_y, arm_x) = cross.centre_px, cross.arm_px
    left, top = max(round(x - FRAME_SHARE * arm_x), 0), max(round(y - FRAME_SHARE * arm_y), 0)
    right = min(round(x + FRAME_SHARE * arm_x), settings.width)
    bottom = min(round(y + FRAME_SHARE * arm_y), settings.height)
    search = round(reach) + SEARCH_MARGIN_PX
    return {
        "x": left,
        "y": top,
        "width": right - left,
        "height": bottom - top,
        "search_px": search,
        "on": on,
    }


def _ruler(ruler: RulerLayout, polarity: str) -> dict[str, Any]:
    return {
        "angle_deg": ruler.angle_deg,
        "mark_width_nm": ruler.mark_width_nm,
        "polarity": polarity,
        "marks": [_mark(ruler, mark) for mark in ruler.marks],
    }


def _mark(ruler: RulerLayout, mark: RulerMark) -> dict[str, Any]:
    """A mark that is there all the time needs no depths."""
    place: dict[str, Any] = {
        "kind": "inclined" if mark.direction else "parallel",
        "x": float(round(mark.x_px)),
        "y": round(ruler.y0_px),
        "height": round(ruler.y1_px) - round(ruler.y0_px),
        "direction": mark.direction,
    }
    begins = {"begins_nm": round(mark.begins_nm, 1)} if mark.begins_nm > 0.0 else {}
    return place | begins | ({"ends_nm": round(mark.ends_nm, 1)} if isfinite(mark.ends_nm) else {})
