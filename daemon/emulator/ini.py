"""The INI text that the microscope puts into tag 34682 of an image.

Structure, units and quirks are those of FEI's software: SI units, CRLF, three-digit exponents as Windows
prints them, many keys without a value, angles in radians, and a field width that is the full scan's even
where the image is a reduced area.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from daemon.emulator.record import (
    LINE_RETURNS,
    SERIAL,
    SOFTWARE,
    SYSTEM,
    ImageRecord,
    frame_s,
    full_field_m,
    tilt_correction_rad,
)

INI_TAG = 34682
Value = str | float | int | bool | None
Section = tuple[str, Mapping[str, Value]]


def windows_number(value: float) -> str:
    """A number as Windows' C library prints it: six digits, three in the exponent (``3.26e-009``)."""
    text = f"{value:.6g}"
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent):+04d}" if mark else text


def ini_text(record: ImageRecord) -> bytes:
    """The text of tag 34682."""
    sections = [*_general(record), *_column(record), *_scanning(record), *_surroundings(record)]
    lines: list[str] = []
    for name, values in sections:
        lines += [f"[{name}]", *(f"{key}={_shown(value)}" for key, value in values.items()), ""]
    return "\r\n".join(lines).encode("latin-1")


def _shown(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return windows_number(value) if isinstance(value, float) else str(value)


def _general(record: ImageRecord) -> list[Section]:
    at = record.acquired_at
    label = "emulated HNPG"
    user: dict[str, Value] = {
        "Date": at.strftime("%m/%d/%Y"),
        "Time": at.strftime("%I:%M:%S %p"),
        "User": "emulator",
        "UserText": label,
        "UserTextUnicode": label.encode("utf-16-le").hex().upper(),
    }
    system: dict[str, Value] = {
        "Type": "DualBeam",
        "Dnumber": SERIAL,
        "Software": SOFTWARE,
        "BuildNr": SOFTWARE.rsplit(".", 1)[1],
        "Source": "FEG",
        "Column": "Elstar",
        "FinalLens": "Elstar",
        "Chamber": "xT-SDB",
        "Stage": "150 x 150",
        "Pump": "TMP",
        "ESEM": False,
        "Aperture": "AVA",
        "Scan": "PIA 3.0",
        "Acq": "PIA 3.0",
        "EucWD": 0.004,
        "SystemType": SYSTEM,
        "DisplayWidth": 0.32,
        "DisplayHeight": 0.24,
    }
    return [("User", user), ("System", system)]


def _column(record: ImageRecord) -> list[Section]:
    name = "EBeam" if record.beam == "electron" else "IBeam"
    scan = "EScan" if record.beam == "electron" else "IScan"
    shift_x, shift_y = record.beam_shift_m
    common: dict[str, Value] = {
        "HV": round(record.voltage_kv * 1000),
        "StigmatorX": 0.0125,
        "StigmatorY": -0.0371,
        "BeamShiftX": shift_x,
        "BeamShiftY": shift_y,
        "ScanRotation": 0,
        "ImageMode": "Normal",
    }
    beam: dict[str, Value] = {"Spot": None, **common, "FineStageBias": 0, "Beam": name, "Scan": scan}
    return [("Beam", beam), (name, {**_optics(record), **common, **_beam_modes(record)})]


def _optics(record: ImageRecord) -> dict[str, Value]:
    hfw, vfw = full_field_m(record)
    x, y, z = record.stage_m
    return {
        "Source": "FEG" if record.beam == "electron" else "LMIS",
        "ColumnType": "Elstar" if record.beam == "electron" else "Tomahawk",
        "ApertureDiameter": 3.2e-05,
        "HFW": hfw,
        "VFW": vfw,
        "WD": 0.004021 if record.beam == "electron" else 0.0165,
        "BeamCurrent": record.beam_current_a,
        "TiltCorrectionIsOn": record.tilt_correction,
        "TiltCorrectionAngle": tilt_correction_rad(record),
        "DynamicFocusIsOn": record.tilt_correction,
        "DynamicWDIsOn": None,
        "StageX": x,
        "StageY": y,
        "StageZ": z,
        "StageR": 0.0,
        "StageTa": math.radians(record.tilt_deg),
        "StageTb": 0,
    }


def _beam_modes(record: ImageRecord) -> dict[str, Value]:
    return {
        "LensMode": "Immersion" if record.beam == "electron" else "Field-Free",
        "LensModeA": None,
        "ATubeVoltage": None,
        "UseCase": None,
        "SemOpticalMode": None,
        "SourceTiltX": 0,
        "SourceTiltY": 0,
        "EucWD": 0.004,
        "EmissionCurrent": None,
        "PreTilt": None,
        "WehneltBias": None,
        "BeamMode": None,
        "MagnificationCorrection": "Off",
    }


def _scanning(record: ImageRecord) -> list[Section]:
    hfw, vfw = full_field_m(record)
    pixel_m = record.pixel_size_nm * 1e-9
    sizes: dict[str, Value] = {
        "PixelWidth": pixel_m,
        "PixelHeight": pixel_m,
        "HorFieldsize": hfw,
        "VerFieldsize": vfw,
    }
    scan: dict[str, Value] = {"InternalScan": "true", "Dwelltime": record.dwell_s, **sizes}
    scan |= {"Average": 0, "Integrate": 0, "FrameTime": frame_s(record)}
    own: dict[str, Value] = {"Scan": "PIA 3.0", "InternalScan": "true", "Dwell": record.dwell_s, **sizes}
    own |= {
        "FrameTime": frame_s(record),
        "LineTime": LINE_RETURNS * record.dwell_s * record.area_px[2],
        "Mainslock": "On",
        "LineIntegration": 1,
        "ScanInterlacing": 1,
    }
    return [("Scan", scan), ("EScan" if record.beam == "electron" else "IScan", own)]


def _surroundings(record: ImageRecord) -> list[Section]:
    x, y, z = record.stage_m
    height, width = record.full_scan_px
    at = record.acquired_at
    stage: dict[str, Value] = {"StageX": x, "StageY": y, "StageZ": z, "StageR": 0.0}
    stage |= {"StageT": math.radians(record.tilt_deg), "StageTb": 0, "SpecTilt": None}
    stage |= {"WorkingDistance": 0.004021, "ActiveStage": "Bulk"}
    image: dict[str, Value] = {"DigitalContrast": 1, "DigitalBrightness": 0, "DigitalGamma": 1}
    image |= {"Average": 0, "Integrate": 0, "ResolutionX": width, "ResolutionY": height}
    image |= {"DriftCorrected": "Off", "ZoomFactor": "1.0", "ZoomPanX": 0.5, "ZoomPanY": 0.5}
    image |= {"MagCanvasRealWidth": "0.12800", "MagnificationMode": 1, "PostProcessing": None}
    detector: dict[str, Value] = {"Contrast": 64.2, "Brightness": 38.9, "Signal": record.signal}
    detector |= {"ContrastDB": 25.31, "BrightnessDB": -1.874, "MinimumDwellTime": 1e-07}
    private: dict[str, Value] = {"BitShift": 0, "DataBarSelected": "HV curr HFW det MicronBar"}
    private |= {"TimeOfCreation": at.strftime("%d.%m.%Y %H:%M:%S"), "DatabarHeight": 0}
    return [
        ("GIS", {"Number": 0}),
        ("Stage", stage),
        ("Image", image),
        ("Vacuum", {"ChPressure": 0.00021, "Gas": None, "UserMode": "High vacuum", "Humidity": None}),
        ("Specimen", {"Temperature": None, "SpecimenCurrent": -record.beam_current_a}),
        ("Detectors", {"Number": 1, "Name": record.detector, "Mode": record.signal}),
        (record.detector, detector),
        ("Accessories", {"Number": 0}),
        ("EBeamDeceleration", {"ModeOn": "Off", "LandingEnergy": None, "StageBias": 0}),
        ("PrivateFei", private),
        ("HiResIllumination", {"BrightFieldIsOn": None, "BrightFieldValue": None}),
        ("HotStageMEMS", {"HeatingCurrent": None, "HeatingVoltage": None, "ActualTemperature": None}),
    ]
