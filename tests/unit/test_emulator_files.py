"""Emulated files are what the microscope's are: readable when complete, and visibly incomplete before."""

import io
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from daemon.emulator.image_xml import XML_TAG, xml_text
from daemon.emulator.ini import INI_TAG, ini_text, windows_number
from daemon.emulator.record import ImageRecord
from daemon.emulator.tiff import tiff_pieces

RECORD = ImageRecord(
    beam="electron",
    voltage_kv=2.0,
    beam_current_a=50e-12,
    detector="TLD",
    signal="BSE",
    pixel_size_nm=3.26,
    full_scan_px=(2048, 3072),
    area_px=(1280, 832, 512, 384),
    dwell_s=30e-6,
    tilt_deg=52.0,
    tilt_correction=True,
    beam_shift_m=(1e-7, -2e-8),
    stage_m=(1e-3, 2e-3, 4e-3),
    acquired_at=datetime(2024, 1, 8, 15, 4, 5, tzinfo=UTC),
    guid="0f8fad5b-d9cb-469f-a165-70867728950e",
)
TEXTS = [(INI_TAG, ini_text(RECORD)), (XML_TAG, xml_text(RECORD))]


def picture(dtype, shape):
    """Random pixels over the whole range of the type."""
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(64, 80), (33, 47), (2, 3)])
def test_a_complete_file_gives_back_pixels_and_metadata(dtype, shape):
    """Odd sizes and both depths, through tifffile."""
    image = picture(dtype, shape)
    content = b"".join(tiff_pieces(image, TEXTS, "A" * 32, 5))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        np.testing.assert_array_equal(page.asarray(), image)
        assert page.rowsperstrip == 1
        assert page.tags[34665].value == {"ImageUniqueID": "A" * 32}
        assert file.fei_metadata["Beam"]["HV"] == 2000
        assert page.tags[XML_TAG].value.startswith("<?xml")


def test_no_part_of_a_file_is_complete():
    """Each flush before the last lacks something: pixels first, then the directory, then the tags."""
    pieces = tiff_pieces(picture("uint8", (64, 80)), TEXTS, "B" * 32, 4)
    assert pieces[0][:4] == b"II*\0"
    assert [len(piece) for piece in pieces[1:5]] == [64 * 80 // 4] * 4
    assert pieces[-1].startswith(b"<?xml")
    assert pieces[-2].startswith(b"[User]\r\n")
    whole = b"".join(pieces)
    directory_at = int.from_bytes(whole[4:8], "little")
    assert directory_at > sum(len(piece) for piece in pieces[:5])
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        ends = [
            tag.valueoffset + tag.count for tag in file.pages.first.tags if tag.code in (INI_TAG, XML_TAG)
        ]
    assert len(whole) - len(pieces[-1]) < max(ends) <= len(whole)


NUMBERS = {3.26e-9: "3.26e-009", 0.0: "0", 5e-11: "5e-011", 0.907571: "0.907571", 1.5e100: "1.5e+100"}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_numbers_are_printed_as_windows_does(value, text):
    """Three digits in the exponent, which naive parsers stumble over."""
    assert windows_number(value) == text


def test_the_ini_text_says_what_the_image_is():
    """SI units, CRLF, blanks, the full scan's field width, radians, and month before day."""
    text = ini_text(RECORD).decode("latin-1")
    assert "\n" not in text.replace("\r\n", "")
    for line in (
        "PixelWidth=3.26e-009",
        "HFW=1.00147e-005",
        "StageT=0.907571",
        "TiltCorrectionIsOn=yes",
        "TiltCorrectionAngle=0.663225",
        "Dwell=3e-005",
        "HV=2000",
        "Date=01/08/2024",
        "Time=03:04:05 PM",
        "ResolutionX=3072",
        "Gas=",
        "Name=TLD",
    ):
        assert f"{line}\r\n" in text


def test_the_xml_says_the_same():
    """Full scan and reduced area, in metres, volts and radians."""
    root = ElementTree.fromstring(xml_text(RECORD))  # noqa: S314 - our own text
    found = {path: root.findtext(path) for path in XML_VALUES}
    assert found == XML_VALUES
    assert float(root.findtext("BinaryResult/PixelSize/X", "nan")) == pytest.approx(3.26e-9)
    assert float(root.findtext("StageSettings/StagePosition/Tilt/Alpha", "nan")) == pytest.approx(0.9075712)


XML_VALUES = {
    "Acquisition/BeamType": "Electron",
    "Acquisition/AcquisitionDatetime": "2024-01-08T15:04:05",
    "Optics/AccelerationVoltage": "2000",
    "Optics/SampleTiltCorrectionOn": "true",
    "ScanSettings/ScanSize/Width": "3072",
    "ScanSettings/ScanArea/X": "1280",
    "ScanSettings/ScanArea/Height": "384",
    "Detectors/ScanningDetector/DetectorName": "TLD",
    "BinaryResult/ImageSize/X": "512",
}
