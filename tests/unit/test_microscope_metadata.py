"""What FEI and Zeiss microscopes say, in our units; what they leave blank is None."""

from __future__ import annotations

from datetime import datetime

import pytest

from daemon.metadata import fei, zeiss
from tests.conftest import fei_ini

XML = """<?xml version="1.0"?>
<Metadata xmlns:nil="http://schemas.fei.com/Metadata/v1/2013/07">
<Acquisition><AcquisitionDatetime>2020-11-19T11:22:33</AcquisitionDatetime><BeamType>Electron</BeamType></Acquisition>
<Optics><AccelerationVoltage>4000</AccelerationVoltage><SampleTiltCorrectionOn>true</SampleTiltCorrectionOn></Optics>
<ScanSettings><ScanArea><X>5</X><Y>6</Y><Width>70</Width><Height>80</Height></ScanArea></ScanSettings>
<BinaryResult><PixelSize><X unit="m">1.25E-09</X><Y unit="m">1.25E-09</Y></PixelSize></BinaryResult>
</Metadata>
"""

ZEISS = "\r\n".join([
    "", "0", "0", "AP_ACTUALKV", "EHT = 1.50 kV", "AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 558.2 pm",
    "DP_DETECTOR_CHANNEL", "Signal A = InLens", "DP_DWELL_TIME", "Dwell Time = 100 ns",
    "AP_STAGE_AT_T", "Stage at T = 54.0 °", "DP_TILT_CORRECTION", "Tilt Corrn. = Off",
    "AP_DATE", "Date :22 Jan 2026", "AP_TIME", "Time :21:48:36", "",
])  # fmt: skip


def test_fei_ini_alone() -> None:
    """Windows exponents, blanks, and the unambiguous of two dates."""
    said = fei.metadata(fei_ini(User_Date="19.11.2020").encode(), None)
    assert (said.beam, said.voltage_kv, said.detector) == ("electron", 2.0, "TLD")
    assert said.pixel_size_nm == pytest.approx(3.26)
    assert said.dwell_s == pytest.approx(30e-6)
    assert said.tilt_deg == pytest.approx(52.0, abs=1e-3)
    assert said.tilt_correction is False
    assert said.acquired_at == datetime(2020, 11, 19, 11, 13, 36)
    assert said.scan_area_px is None


def test_fei_xml_has_the_better_numbers() -> None:
    """Where both texts speak, the XML is believed."""
    said = fei.metadata(fei_ini().encode(), XML.encode())
    assert said.voltage_kv == 4.0
    assert said.pixel_size_nm == pytest.approx(1.25)
    assert said.tilt_correction is True
    assert said.scan_area_px == (5, 6, 70, 80)
    assert fei.scan_height_px(fei_ini().encode(), XML.encode()) == 80
    assert fei.scan_height_px(fei_ini().encode(), None) == 2048


def test_fei_pixel_size_from_the_full_scan() -> None:
    """Without PixelWidth, the field of view belongs to ResolutionX columns, however wide the image is."""
    said = fei.metadata(fei_ini(Scan_PixelWidth="", EBeam_HFW="3.072e-005").encode(), None)
    assert said.pixel_size_nm == pytest.approx(10.0)


def test_fei_landing_energy_counts_under_deceleration() -> None:
    """A decelerated beam sees as deep as the energy with which it lands."""
    slow = {"EBeamDeceleration_ModeOn": "On", "EBeamDeceleration_LandingEnergy": "1000"}
    assert fei.metadata(fei_ini(**slow).encode(), None).voltage_kv == 1.0
    slow["EBeamDeceleration_ModeOn"] = "Off"
    assert fei.metadata(fei_ini(**slow).encode(), None).voltage_kv == 2.0


def test_fei_ion_beam() -> None:
    """An image taken with the ion beam says so."""
    assert fei.metadata(fei_ini(Beam_Beam="IBeam").encode(), None).beam == "ion"


@pytest.mark.parametrize("blank", ["", "NaN", "1e999", "?"])
def test_what_fei_leaves_blank_is_none(blank: str) -> None:
    """Nothing is guessed and nothing becomes 0."""
    names = (
        "Beam_HV",
        "EBeam_HV",
        "EBeam_HFW",
        "EBeam_TiltCorrectionIsOn",
        "Scan_PixelWidth",
        "Scan_Dwelltime",
    )
    said = fei.metadata(fei_ini(**dict.fromkeys(names, blank)).encode(), b"<broken")
    assert (said.voltage_kv, said.pixel_size_nm, said.dwell_s, said.tilt_correction) == (
        None,
        None,
        None,
        None,
    )


def test_entities_are_not_expanded() -> None:
    """A document type in the XML makes it count as absent; no entity grows in memory."""
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cccc">]><Metadata>&b;</Metadata>'
    assert fei.metadata(fei_ini().encode(), bomb.encode()).voltage_kv == 2.0


def test_zeiss() -> None:
    """SmartSEM's lines, prefixes of units among them."""
    said = zeiss.metadata(ZEISS.encode("cp1252"))
    assert (said.beam, said.voltage_kv, said.detector) == ("electron", 1.5, "InLens")
    assert said.pixel_size_nm == pytest.approx(0.5582)
    assert said.dwell_s == pytest.approx(1e-7)
    assert said.tilt_deg == 54.0
    assert said.tilt_correction is False
    assert said.acquired_at == datetime(2026, 1, 22, 21, 48, 36)


@pytest.mark.parametrize(
    ("device", "beam"), [("Electron Beam", "electron"), ("Field Emission", "electron"), ("FIB", "ion"),
                         ("Ion Beam", "ion")],
)  # fmt: skip
def test_zeiss_names_its_beam(device: str, beam: str) -> None:
    """Electrons come from field emission, which is no ion."""
    text = f"DP_COLUMN_TYPE\r\nColumn Type = {device}\r\n"
    assert zeiss.metadata(text.encode()).beam == beam


def test_zeiss_blank() -> None:
    """A text that says nothing gives None everywhere."""
    said = zeiss.metadata(b"\r\n0\r\nAP_ACTUALKV\r\nEHT = ?\r\n")
    assert (said.voltage_kv, said.pixel_size_nm, said.acquired_at) == (None, None, None)
