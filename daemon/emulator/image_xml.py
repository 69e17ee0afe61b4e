"""The XML that the microscope puts into tag 34683 of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree import ElementTree

from daemon.emulator.record import (
    LINE_RETURNS,
    SERIAL,
    SOFTWARE,
    SYSTEM,
    ImageRecord,
    frame_s,
    full_field_m,
)

XML_TAG = 34683
Tree = Mapping[str, "Tree | str | float | int | None"]


def xml_text(record: ImageRecord) -> bytes:
    """The text of tag 34683."""
    root = ElementTree.Element(
        "Metadata",
        {
            "xmlns:nil": "http://schemas.fei.com/Metadata/v1/2013/07",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        },
    )
    _grow(root, _tree(record))
    ElementTree.indent(root)
    return b'<?xml version="1.0"?>\r\n' + ElementTree.tostring(root, encoding="utf-8")


def _tree(record: ImageRecord) -> Tree:
    return {
        "Core": {"Guid": record.guid, "UserID": "emulator", "ApplicationSoftware": "xT"},
        "Instrument": {
            "ControlSoftwareVersion": SOFTWARE,
            "Manufacturer": "FEI Company",
            "InstrumentClass": SYSTEM,
            "InstrumentID": SERIAL,
            "ComputerName": "EMULATOR",
        },
        "Acquisition": {
            "AcquisitionDatetime": record.acquired_at.strftime("%Y-%m-%dT%H:%M:%S"),
            "BeamType": record.beam.capitalize(),
            "ColumnType": "Elstar" if record.beam == "electron" else "Tomahawk",
            "SourceType": "FEG" if record.beam == "electron" else "LMIS",
        },
        "Optics": _optics_tree(record),
        "StageSettings": {"StagePosition": _position_tree(record)},
        "ScanSettings": _scan_tree(record),
        "Detectors": {"ScanningDetector": _detector_tree(record)},
        "BinaryResult": _result_tree(record),
    }


def _pair(x: float, y: float) -> Tree:
    return {"X": x, "Y": y}


def _optics_tree(record: ImageRecord) -> Tree:
    hfw, vfw = full_field_m(record)
    pixel_m = record.pixel_size_nm * 1e-9
    return {
        "AccelerationVoltage": round(record.voltage_kv * 1000),
        "DecelerationVoltage": 0,
        "BeamCurrent": record.beam_current_a,
        "FullScanFieldOfView": _pair(hfw, vfw),
        "ScanFieldOfView": _pair(record.area_px[2] * pixel_m, record.area_px[3] * pixel_m),
        "WorkingDistance": 0.004021,
        "EucentricWorkingDistance": 0.004,
        "BeamShift": _pair(*record.beam_shift_m),
        "SampleTiltCorrectionOn": "true" if record.tilt_correction else "false",
        "SamplePreTiltAngle": 0,
        "CrossOverOn": "false",
    }


def _position_tree(record: ImageRecord) -> Tree:
    x, y, z = record.stage_m
    tilt: Tree = {"Alpha": math.radians(record.tilt_deg), "Beta": 0}
    return {"X": x, "Y": y, "Z": z, "Rotation": 0, "Tilt": tilt}


def _scan_tree(record: ImageRecord) -> Tree:
    height, width = record.full_scan_px
    x, y, area_width, area_height = record.area_px
    return {
        "DwellTime": record.dwell_s,
        "ScanSize": {"Width": width, "Height": height},
        "ScanArea": {"X": x, "Y": y, "Width": area_width, "Height": area_height},
        "MainsLockOn": "true",
        "LineTime": LINE_RETURNS * record.dwell_s * area_width,
        "LineIntegrationCount": 1,
        "LineInterlacing": 1,
        "FrameTime": frame_s(record),
        "ScanRotation": 0,
    }


def _detector_tree(record: ImageRecord) -> Tree:
    return {
        "DetectorName": record.detector,
        "DetectorType": record.detector,
        "Signal": record.signal,
        "Gain": 25.31,
        "Offset": -1.874,
        "ContrastNormalized": 64.2,
        "BrightnessNormalized": 38.9,
    }


def _result_tree(record: ImageRecord) -> Tree:
    _, _, width, height = record.area_px
    pixel_m = record.pixel_size_nm * 1e-9
    return {
        "AcquisitionUnit": "Pixel",
        "CompositionType": "Single",
        "ImageSize": {"X": width, "Y": height},
        "PixelSize": _pair(pixel_m, pixel_m),
        "IntensityScale": 1,
        "IntensityOffset": 0,
        "Gamma": 1,
    }


def _grow(parent: ElementTree.Element, tree: Tree) -> None:
    """Add a tree of names and values below an XML element."""
    for name, value in tree.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, Mapping):
            _grow(child, value)
        elif value is not None:
            child.text = f"{value:.17G}" if isinstance(value, float) else str(value)
