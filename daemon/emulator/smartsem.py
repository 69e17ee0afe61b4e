"""The text of tag 34118 as Zeiss' SmartSEM writes it: a key on a line, then ``label = value unit``."""

from __future__ import annotations

from typing import Final

from daemon.emulator.record import SERIAL, ImageRecord, frame_s, full_field_m

ZEISS_TAG: Final = 34118
_HEAD: Final = ["", "0", "0", "0", "0"]


def smartsem_text(record: ImageRecord) -> bytes:
    """What the software notes of an image; lines end in CRLF, the code page is that of Windows."""
    width_m, height_m = full_field_m(record)
    shift_x_m, shift_y_m = record.beam_shift_m
    entries = [
        ("DP_IMAGING_DEVICE", f"Imaging Device = {'FIB' if record.beam == 'ion' else 'SEM'}"),
        ("AP_ACTUALKV", f"EHT = {record.voltage_kv:.2f} kV"),
        ("AP_ACTUALCURRENT", f"I Probe = {record.beam_current_a * 1e12:.1f} pA"),
        ("AP_IMAGE_PIXEL_SIZE", f"Image Pixel Size = {record.pixel_size_nm:.4g} nm"),
        ("AP_WIDTH", f"Width = {width_m * 1e6:.4g} µm"),
        ("AP_HEIGHT", f"Height = {height_m * 1e6:.4g} µm"),
        ("AP_BEAMSHIFT_X", f"Beam Shift X = {shift_x_m * 1e9:.1f} nm"),
        ("AP_BEAMSHIFT_Y", f"Beam Shift Y = {shift_y_m * 1e9:.1f} nm"),
        ("DP_DETECTOR_CHANNEL", f"Signal A = {record.detector}"),
        ("DP_DWELL_TIME", f"Dwell Time = {record.dwell_s * 1e9:.0f} ns"),
        ("AP_FRAME_TIME", f"Cycle Time = {frame_s(record):.1f} Secs"),
        ("AP_STAGE_AT_T", f"Stage at T = {record.tilt_deg:.1f} °"),
        ("DP_TILT_CORRECTION", f"Tilt Corrn. = {'On' if record.tilt_correction else 'Off'}"),
        ("AP_DATE", f"Date :{record.acquired_at:%d %b %Y}"),
        ("AP_TIME", f"Time :{record.acquired_at:%H:%M:%S}"),
        ("SV_SERIAL_NUMBER", f"Serial No. = {SERIAL}"),
    ]
    lines = [*_HEAD, *(line for entry in entries for line in entry), ""]
    return "\r\n".join(lines).encode("cp1252")
