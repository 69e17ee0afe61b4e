"""What was acquired and with which settings, as the microscope said it of its images."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import numpy as np

from daemon.report.blocks import Table
from daemon.report.contents import Contents, column

UNKNOWN: Final = "not known"
_HEADS: Final = ("channel", "beam", "detector", "dwell", "pixel", "image", "tilt", "tilt correction")


def acquisition_facts(contents: Contents) -> dict[str, str]:
    """Instrument, times and target of the run."""
    seen = [image["metadata"] for face in contents.faces for image in _images(face)]
    times = sorted(when for told in seen if (when := _time(told.get("acquired_at"))))
    target = contents.configuration["geometry"]["target_thickness_nm"]
    return {
        "Folder": str(contents.configuration["run"]["folder"]),
        "Instrument": _listed(told.get("instrument") for told in seen),
        "First image": f"{times[0]:%Y-%m-%d %H:%M}" if times else UNKNOWN,
        "Last image": f"{times[-1]:%Y-%m-%d %H:%M}" if times else UNKNOWN,
        "Time from slice to slice": _rhythm(contents),
        "Target thickness": f"{target:g} nm",
        "Fiducials": str(len(contents.configuration["fiducials"])) or "none",
        "Ruler": _ruler(contents.configuration.get("ruler")),
    }


def channel_table(contents: Contents) -> Table:
    """A row per channel: what its first image says, and what has changed since."""
    rows = [_channel_row(contents, channel) for channel in contents.configuration["channels"]]
    return Table(tuple(rows), _HEADS)


def registration_table(contents: Contents) -> Table:
    """A row per channel: how far and how steadily its images moved, how well they were recognised."""
    heads = ("channel", "moved along y, x", "steps, RMS", "quality, median", "worst", "at slice")
    return Table(tuple(_registration_row(contents, name) for name in contents.channels), heads)


def _channel_row(contents: Contents, channel: dict[str, Any]) -> tuple[str, ...]:
    name = channel["name"]
    seen = [face["images"][name] for face in contents.faces if name in face["images"]]
    told = [image["metadata"] for image in seen if "metadata" in image]
    return (
        f"{name}{' (reference)' if channel['reference'] else ''}",
        _listed(
            (_with_unit(m["voltage_kv"], 1.0, "kV") for m in told),
            f"{channel['voltage_kv']:g} kV" if channel["voltage_kv"] else UNKNOWN,
        ),
        _listed(m["detector"] for m in told),
        _listed(_with_unit(m["dwell_s"], 1e6, "µs") for m in told),
        _listed(_with_unit(m["pixel_size_nm"], 1.0, "nm") for m in told),
        _listed(f"{w} × {h} px" for h, w in (image["shape_px"] for image in seen if "shape_px" in image)),
        _listed(_with_unit(m["tilt_deg"], 1.0, "°") for m in told),
        _listed({True: "on", False: "off", None: None}[m["tilt_correction"]] for m in told),
    )


def _registration_row(contents: Contents, name: str) -> tuple[str, ...]:
    y, x = (column(contents.kept, f"shift_{axis}_px_{name}") for axis in "yx")
    quality = column(contents.kept, f"quality_{name}")
    if not np.isfinite(quality).any():
        return (name, *[UNKNOWN] * 5)
    steps = np.hypot(np.diff(y), np.diff(x))
    worst = int(np.nanargmin(quality))
    return (
        name,
        f"{np.ptp(y[np.isfinite(y)]):.2f}, {np.ptp(x[np.isfinite(x)]):.2f} px",
        f"{np.sqrt(np.nanmean(steps**2)):.2f} px" if np.isfinite(steps).any() else UNKNOWN,
        f"{np.nanmedian(quality):.3f}",
        f"{quality[worst]:.3f}",
        contents.kept[worst]["slice"],
    )


def _images(face: dict[str, Any]) -> list[dict[str, Any]]:
    """Journals of earlier versions know the images' places only."""
    return [image for image in face["images"].values() if "metadata" in image]


def _rhythm(contents: Contents) -> str:
    starts = [
        min(times)
        for face in contents.faces
        if (times := [t for image in _images(face) if (t := _time(image["metadata"].get("acquired_at")))])
    ]
    steps = np.diff([start.timestamp() for start in starts])
    return f"{np.median(steps):.3g} s (median)" if steps.size and np.median(steps) > 0.0 else UNKNOWN


def _ruler(ruler: dict[str, Any] | None) -> str:
    if ruler is None:
        return "none: thickness is not measured"
    return f"{len(ruler['marks'])} marks at {ruler['angle_deg']:.1f}°, {ruler['mark_width_nm']:g} nm wide"


def _listed(values: Iterable[str | None], fallback: str = UNKNOWN) -> str:
    """Distinct values in the order in which they appeared: a setting that was changed shows."""
    return ", ".join(dict.fromkeys(value for value in values if value)) or fallback


def _with_unit(value: float | None, factor: float, unit: str) -> str | None:
    return None if value is None else f"{value * factor:.4g} {unit}".replace(" °", "°")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
