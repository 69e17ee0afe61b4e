"""What there is to say of one image, before it is put into the words of a file format."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SOFTWARE = "10.1.7.5675"
SYSTEM = "Helios NanoLab G3"
SERIAL = "9922001"
LINE_RETURNS = 1.04
"""Duration of a scan over that of its pixels alone."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What there is to say of one image; ``area_px`` is (x, y, width, height) in ``full_scan_px`` (h, w)."""

    beam: Literal["electron", "ion"]
    voltage_kv: float
    beam_current_a: float
    detector: str
    signal: str
    pixel_size_nm: float
    full_scan_px: tuple[int, int]
    area_px: tuple[int, int, int, int]
    dwell_s: float
    tilt_deg: float
    tilt_correction: bool
    beam_shift_m: tuple[float, float]
    stage_m: tuple[float, float, float]
    acquired_at: datetime
    guid: str


def full_field_m(record: ImageRecord) -> tuple[float, float]:
    """Width and height of the full scan, m."""
    height, width = record.full_scan_px
    return width * record.pixel_size_nm * 1e-9, height * record.pixel_size_nm * 1e-9


def tilt_correction_rad(record: ImageRecord) -> float:
    """The face of a cross-section stands at 90° − tilt to the electron beam's picture plane."""
    return math.radians(90.0 - record.tilt_deg) if record.tilt_correction else 0.0


def frame_s(record: ImageRecord) -> float:
    """Duration of the image, line returns included."""
    return LINE_RETURNS * record.dwell_s * record.area_px[2] * record.area_px[3]
