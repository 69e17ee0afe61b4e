"""From a scene to the pieces of an image file: exposure, what the software notes of it, the TIFF."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.emulator.faults import Pieces
from daemon.emulator.image_xml import XML_TAG, xml_text
from daemon.emulator.ini import INI_TAG, ini_text
from daemon.emulator.plan import Stream, random_stream, recession_px_per_nm
from daemon.emulator.record import ImageRecord
from daemon.emulator.scene import Scene, photograph
from daemon.emulator.settings import EmulatorSettings
from daemon.emulator.smartsem import ZEISS_TAG, smartsem_text
from daemon.emulator.tiff import tiff_pieces
from daemon.emulator.tilt import is_corrected
from daemon.emulator.topview import FIB_CURRENT_A, FIB_KV, top_view
from daemon.sample_kind import Vendor

Clock = Callable[[], datetime]
Image = NDArray[np.uint8] | NDArray[np.uint16]


def electron_pieces(scene: Scene, now: Clock, index: int, channel: int) -> Pieces:
    """The file of slice ``index`` (from 0) at one voltage, exposed now."""
    settings = scene.settings
    record = _record(scene, now(), index, channel)
    return _pieces(settings, photograph(scene, index, channel), record)


def ion_pieces(scene: Scene, now: Clock, index: int) -> Pieces:
    """The file of the ion beam's view after the cut of slice ``index``."""
    settings = scene.settings
    electron = _record(scene, now(), index, len(settings.voltages_kv))
    record = replace(
        electron,
        beam="ion",
        voltage_kv=FIB_KV,
        beam_current_a=FIB_CURRENT_A,
        detector="ETD",
        signal="SE",
        tilt_correction=False,
        beam_shift_m=(0.0, 0.0),
    )
    return _pieces(settings, top_view(scene, index), record)


def _pieces(settings: EmulatorSettings, image: Image, record: ImageRecord) -> Pieces:
    texts = _texts(settings.recording.vendor, record)
    unique_id = record.guid.replace("-", "").upper()
    return tiff_pieces(image, texts, unique_id, settings.recording.pieces)


def _texts(vendor: Vendor, record: ImageRecord) -> list[tuple[int, bytes]]:
    """What the microscope writes of an image, by TIFF tag."""
    if vendor is Vendor.ZEISS:
        return [(ZEISS_TAG, smartsem_text(record))]
    return [(INI_TAG, ini_text(record)), (XML_TAG, xml_text(record))]


def _detector(settings: EmulatorSettings, channel: int) -> str:
    """Of a channel; of all of them where the run has one detector."""
    return settings.detectors[channel] if channel < len(settings.detectors) else settings.recording.detector


def _record(scene: Scene, at: datetime, index: int, channel: int) -> ImageRecord:
    """What the software notes; its beam shift follows the target thickness, for it knows no other."""
    settings, recording = scene.settings, scene.settings.recording
    identity = random_stream(settings, Stream.IDENTITY, index, channel)
    believed_px = index * settings.milling.target_nm * recession_px_per_nm(settings)
    followed_m = settings.stage.recession_tracked * believed_px * settings.pixel_size_nm * 1e-9
    return ImageRecord(
        beam="electron",
        voltage_kv=settings.voltages_kv[channel] if channel < len(settings.voltages_kv) else FIB_KV,
        beam_current_a=recording.beam_current_a,
        detector=_detector(settings, channel),
        signal="SE" if settings.detectors else "BSE",
        pixel_size_nm=settings.pixel_size_nm,
        full_scan_px=_full_scan_px(settings),
        area_px=_area_px(settings),
        dwell_s=recording.dwell_s,
        tilt_deg=settings.tilt_deg,
        tilt_correction=is_corrected(settings, index),
        beam_shift_m=(2.1e-7, 0.0 - followed_m),
        stage_m=(1.2e-3, -3.4e-4, 4.012e-3),
        acquired_at=at,
        guid=str(uuid.UUID(bytes=identity.bytes(16), version=4)),
    )


def _full_scan_px(settings: EmulatorSettings) -> tuple[int, int]:
    """The full scan (h, w), which an image larger than the usual one is itself."""
    height, width = settings.recording.full_scan_px
    return max(height, settings.height), max(width, settings.width)


def _area_px(settings: EmulatorSettings) -> tuple[int, int, int, int]:
    """The image (x, y, width, height) in the middle of the full scan."""
    height, width = _full_scan_px(settings)
    x, y = (width - settings.width) // 2, (height - settings.height) // 2
    return x, y, settings.width, settings.height
