"""Zeiss metadata: tag 34118, lines of ``AP_…``/``DP_…`` names, each followed by ``label = value unit``.

The layout is that described by the Gwyddion project (mailing list, 2012-05) and read by tifffile's
``read_cz_sem``; the keys are those of SmartSEM.
"""

from __future__ import annotations

import re
from typing import Final

from daemon.items import FrameMetadata
from daemon.metadata.text import decoded, moment, number, switch

_QUANTITY: Final = re.compile(r"^\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\S*)")
_PREFIXES: Final = {"p": 1e-12, "n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "k": 1e3}
_ION: Final = re.compile(r"fib|\bion|canion")
"""In the name of a column or device; an electron's is made by field emission, which ends alike."""
_KEY: Final = re.compile(r"^(?:AP|DP|SV)_[A-Z0-9_]+$")


def parse(raw: bytes) -> dict[str, str]:
    """Values by SmartSEM key, units left on them."""
    values: dict[str, str] = {}
    key = ""
    for line in decoded(raw).splitlines():
        line = line.strip()
        if _KEY.match(line):
            key = line
        elif key:
            _, _, value = line.partition("=") if "=" in line else line.partition(":")
            values[key] = value.strip()
            key = ""
    return values


def metadata(raw: bytes) -> FrameMetadata:
    """What the text says of the image, in our units; never raises, unknown is None."""
    said = parse(raw)
    volts = _si(said.get("AP_ACTUALKV") or said.get("AP_MANUALKV"), "V")
    pixel_m = _si(said.get("AP_IMAGE_PIXEL_SIZE") or said.get("AP_PIXEL_SIZE"), "m")
    return FrameMetadata(
        beam=_beam(said),
        voltage_kv=volts / 1000.0 if volts else None,
        detector=said.get("DP_DETECTOR_CHANNEL") or said.get("DP_DETECTOR_TYPE") or None,
        pixel_size_nm=pixel_m * 1e9 if pixel_m and 0.0 < pixel_m < 1e-3 else None,
        dwell_s=_si(said.get("DP_DWELL_TIME"), "s"),
        tilt_deg=_plain(said.get("AP_STAGE_AT_T")),
        tilt_correction=switch(said.get("DP_TILT_CORRECTION")),
        acquired_at=moment(
            f"{said.get('AP_DATE', '')} {said.get('AP_TIME', '')}", ["%d %b %Y %H:%M:%S", "%d %b %Y %H:%M"]
        ),
        instrument=said.get("DP_SEM") or said.get("SV_SERIAL_NUMBER") or None,
    )


def _beam(said: dict[str, str]) -> str:
    """SmartSEM names the imaging column on dual-beam instruments only; a pure SEM has no other beam."""
    device = f"{said.get('DP_COLUMN_TYPE', '')} {said.get('DP_IMAGING_DEVICE', '')}".casefold()
    return "ion" if _ION.search(device) else "electron"


def _plain(text: str | None) -> float | None:
    found = _QUANTITY.match(text or "")
    return number(found[1]) if found else None


def _si(text: str | None, unit: str) -> float | None:
    """A quantity in its SI base unit; None if it carries another unit."""
    found = _QUANTITY.match(text or "")
    if found is None:
        return None
    prefix, written = found[2][: -len(unit)], found[2][-len(unit) :]
    value = number(found[1])
    if value is None or written != unit or (prefix and prefix not in _PREFIXES):
        return None
    return value * _PREFIXES.get(prefix, 1.0)
