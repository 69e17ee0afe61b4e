"""FEI/Thermo metadata: tag 34682 (INI text) and tag 34683 (XML, newer instruments only).

``ResolutionX/Y`` and ``HFW`` describe the full scan while the image may be a reduced area of it, so HFW is
never divided by the width of the image. Where both texts speak, the XML wins: it has more digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from daemon.items import FrameMetadata
from daemon.metadata.text import decoded, moment, number, parsed_xml, positive, switch

Ini = Mapping[str, Mapping[str, str]]
_BEAMS: Final = {"ebeam": "electron", "electron": "electron", "ibeam": "ion", "ion": "ion"}
_LARGEST_PIXEL_NM: Final = 1e6


def parse_ini(raw: bytes) -> dict[str, dict[str, str]]:
    """Sections of the INI text; lines that are no ``key=value`` are skipped, blank values kept blank."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in decoded(raw).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1], {})
        elif "=" in line:
            key, _, value = line.partition("=")
            section[key.strip()] = value.strip()
    return sections


def metadata(ini_text: bytes, xml_text: bytes | None) -> FrameMetadata:
    """What the two texts say of the image, in our units; never raises, unknown is None."""
    ini = parse_ini(ini_text)
    xml = parsed_xml(decoded(xml_text)) if xml_text else None
    beam = _beam(ini, xml)
    column = _section(ini, "IBeam" if beam == "ion" else "EBeam")
    tilt = number(_section(ini, "Stage").get("StageT")) or number(column.get("StageTa"))
    return FrameMetadata(
        beam=beam,
        voltage_kv=_voltage_kv(ini, xml, column),
        detector=_section(ini, "Detectors").get("Name") or _said(xml, ".//DetectorName"),
        pixel_size_nm=_pixel_size_nm(ini, xml, column),
        dwell_s=positive(_said(xml, "ScanSettings/DwellTime")) or positive(_scan(ini, "Dwelltime", "Dwell")),
        tilt_deg=None if tilt is None else math.degrees(tilt),
        tilt_correction=_tilt_correction(column, xml),
        acquired_at=_acquired_at(ini, xml),
        scan_area_px=_scan_area(xml),
        instrument=_section(ini, "System").get("SystemType") or None,
    )


def scan_height_px(ini_text: bytes, xml_text: bytes | None) -> int | None:
    """Rows that were scanned; an image that is taller carries a data bar below them."""
    xml = parsed_xml(decoded(xml_text)) if xml_text else None
    area = _scan_area(xml)
    if area is not None:
        return area[3]
    rows = positive(_section(parse_ini(ini_text), "Image").get("ResolutionY"))
    return None if rows is None else int(rows)


def _section(ini: Ini, name: str) -> Mapping[str, str]:
    return ini.get(name, {})


def _said(xml: Element | None, path: str) -> str | None:
    return xml.findtext(path) if xml is not None else None


def _scan(ini: Ini, *keys: str) -> str | None:
    """The first filled-in value in [Scan], [EScan] or [IScan]."""
    sections = [_section(ini, name) for name in ("Scan", "EScan", "IScan")]
    return next((s[key] for s in sections for key in keys if s.get(key)), None)


def _beam(ini: Ini, xml: Element | None) -> str:
    word = _said(xml, "Acquisition/BeamType") or _section(ini, "Beam").get("Beam") or ""
    return _BEAMS.get(word.strip().casefold(), "unknown")


def _voltage_kv(ini: Ini, xml: Element | None, column: Mapping[str, str]) -> float | None:
    """The energy with which the beam lands: that decides how deep it sees, also with beam deceleration."""
    deceleration = _section(ini, "EBeamDeceleration")
    landing = positive(deceleration.get("LandingEnergy")) if switch(deceleration.get("ModeOn")) else None
    volts = (
        landing
        or positive(_said(xml, "Optics/AccelerationVoltage"))
        or positive(column.get("HV"))
        or positive(_section(ini, "Beam").get("HV"))
    )
    return None if volts is None else volts / 1000.0


def _pixel_size_nm(ini: Ini, xml: Element | None, column: Mapping[str, str]) -> float | None:
    metres = positive(_said(xml, "BinaryResult/PixelSize/X")) or positive(_scan(ini, "PixelWidth"))
    field, columns = positive(column.get("HFW")), positive(_section(ini, "Image").get("ResolutionX"))
    if metres is None and field is not None and columns is not None:
        metres = field / columns
    return metres * 1e9 if metres is not None and metres * 1e9 < _LARGEST_PIXEL_NM else None


def _tilt_correction(column: Mapping[str, str], xml: Element | None) -> bool | None:
    """Whether rows are stretched; switched on with an angle of 0, as real files have it, nothing is."""
    said = switch(_said(xml, "Optics/SampleTiltCorrectionOn"))
    is_on = said if said is not None else switch(column.get("TiltCorrectionIsOn"))
    return False if is_on and number(column.get("TiltCorrectionAngle")) == 0.0 else is_on


def _acquired_at(ini: Ini, xml: Element | None) -> datetime | None:
    """``TimeOfCreation`` has one meaning everywhere; the date in [User] follows the PC's locale."""
    user = _section(ini, "User")
    return (
        moment(_said(xml, "Acquisition/AcquisitionDatetime"), ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"])
        or moment(_section(ini, "PrivateFei").get("TimeOfCreation"), ["%d.%m.%Y %H:%M:%S"])
        or moment(
            f"{user.get('Date', '')} {user.get('Time', '')}", ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S"]
        )
    )


def _scan_area(xml: Element | None) -> tuple[int, int, int, int] | None:
    sides = [number(_said(xml, f"ScanSettings/ScanArea/{side}")) for side in ("X", "Y", "Width", "Height")]
    x, y, width, height = sides
    if x is None or y is None or not width or not height or width < 0 or height < 0:
        return None
    return int(x), int(y), int(width), int(height)
