"""From a file to a Frame: pixels, what the microscope says, and refusals with a reason."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.config import DEFAULT_FILE_PATTERN, ChannelSection
from daemon.errors import FileUnreadableError
from daemon.items import FileReady, Frame
from daemon.metadata.plain import Sidecar
from daemon.reader import FileChangedError, read_frame
from tests.conftest import WriteFei

SIDECAR = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),), pixel_size_nm=4.0)
NAME = "SEM Image - SliceImage - 007.tif"


def ready(path: Path) -> FileReady:
    """The file as it is now."""
    status = path.stat()
    return FileReady(path, status.st_size, status.st_mtime_ns)


def read(path: Path, sidecar: Sidecar = SIDECAR, pattern: str = DEFAULT_FILE_PATTERN) -> Frame:
    """Read a file as it is now."""
    return read_frame(ready(path), pattern, sidecar)


@pytest.mark.real_data
@pytest.mark.parametrize(("slice_", "minute"), [("001", 13), ("002", 22)])
def test_real_auto_slice_and_view_image(real_data: Path, slice_: str, minute: int) -> None:
    """A real reduced-area scan: pixel size of the scan, not field of view divided by image width.

    Slice 002 has tilt correction switched on with an angle of 0: nothing is stretched.
    """
    frame = read(real_data / f"asv4-helios-g4-2kv-slice-{slice_}.tif", pattern=r"slice-(?P<slice>\d+)")
    said = frame.metadata
    assert frame.slice_index == int(slice_)
    assert frame.image.shape == (2007, 1618)
    assert frame.image.dtype == np.uint8
    assert (said.beam, said.voltage_kv, said.detector) == ("electron", 2.0, "TLD")
    assert said.pixel_size_nm == pytest.approx(8.99306, rel=1e-5)
    assert said.scan_area_px == (815, 0, 1618, 2007)
    assert said.dwell_s == pytest.approx(3e-7)
    assert said.tilt_deg == pytest.approx(16.0, abs=0.01)
    assert said.tilt_correction is False
    assert said.acquired_at is not None
    assert (said.acquired_at.date(), said.acquired_at.minute) == (datetime(2020, 11, 19).date(), minute)
    assert 20.0 < frame.image.std() < 100.0


@pytest.mark.real_data
def test_real_data_bar_is_cut_off(real_data: Path) -> None:
    """An older Helios image of 471 rows shows 442 rows of sample above its data bar."""
    frame = read(real_data / "helios-ebeam-8bit.tif", pattern=r"(?P<slice>\d+)bit")
    assert frame.image.shape == (442, 512)
    assert frame.metadata.voltage_kv == 5.0
    assert frame.metadata.detector == "ETD"
    assert frame.metadata.pixel_size_nm == pytest.approx(3372.4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pixels_come_out_exactly(tmp_path: Path, dtype: str, byteorder: str) -> None:
    """8 and 16 bit, both byte orders: the same numbers, native and read-only."""
    image = np.arange(600, dtype=dtype).reshape(20, 30)
    tifffile.imwrite(tmp_path / NAME, image, byteorder=byteorder, metadata=None)
    frame = read(tmp_path / NAME)
    np.testing.assert_array_equal(frame.image, image)
    assert frame.image.dtype.isnative
    assert not frame.image.flags.writeable
    assert frame.slice_index == 7


def test_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    """Bright stays bright, whichever way the file counts grey."""
    image = np.array([[0, 10], [200, 255]], np.uint8)
    tifffile.imwrite(tmp_path / NAME, image, photometric="miniswhite", metadata=None)
    np.testing.assert_array_equal(read(tmp_path / NAME).image, 255 - image)


def test_plain_file_takes_the_side_cars_word(tmp_path: Path) -> None:
    """A file without metadata is what the configuration says of it, by its own pattern only."""
    (tmp_path / "four").mkdir()
    tifffile.imwrite(tmp_path / "four" / NAME, np.ones((4, 4), np.uint8), metadata=None)
    channels = (
        ChannelSection(name="one", voltage_kv=1.0, reference=True),
        ChannelSection(name="four", voltage_kv=4.0),
    )
    known = Sidecar(channels, r"(?P<channel>one|four)/", 5.0, tilt_correction=True)
    said = read(tmp_path / "four" / NAME, known).metadata
    assert (said.beam, said.voltage_kv, said.pixel_size_nm, said.tilt_correction) == (
        "electron",
        4.0,
        5.0,
        True,
    )
    unknown = read(tmp_path / "four" / NAME, Sidecar(channels)).metadata
    assert (unknown.beam, unknown.voltage_kv, unknown.pixel_size_nm) == ("unknown", None, None)


def test_what_the_file_says_wins(tmp_path: Path, write_fei: WriteFei) -> None:
    """The side-car fills holes; it does not overrule the microscope."""
    path = write_fei(tmp_path / NAME, volts=1000)
    assert read(path).metadata.pixel_size_nm == pytest.approx(3.26)
    assert read(path).metadata.voltage_kv == 1.0
    blank = write_fei(tmp_path / NAME, Scan_PixelWidth="", EBeam_HFW="")
    assert read(blank).metadata.pixel_size_nm == 4.0


REFUSED = {
    "colour": (np.ones((4, 4, 3), np.uint8), "3 × 8 bits"),
    "floating point": (np.ones((4, 4), np.float32), "1 × 32 bits"),
    "signed": (np.ones((4, 4), np.int16), "int16"),
}


@pytest.mark.parametrize(("image", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_other_images_are_refused(tmp_path: Path, image: np.ndarray, said: str) -> None:
    """What is not one grey 8- or 16-bit image is refused with what, where and remedy."""
    tifffile.imwrite(tmp_path / NAME, image, metadata=None)
    with pytest.raises(FileUnreadableError, match=said) as refusal:
        read(tmp_path / NAME)
    assert refusal.value.where == str(tmp_path / NAME)
    assert refusal.value.remedy


def test_rewritten_file_is_not_read(tmp_path: Path, write_fei: WriteFei) -> None:
    """A version that is gone is not mixed with the one that took its place."""
    judged = ready(write_fei(tmp_path / NAME))
    write_fei(tmp_path / NAME, np.ones((30, 30), np.uint8))
    with pytest.raises(FileChangedError):
        read_frame(judged, DEFAULT_FILE_PATTERN, SIDECAR)


def test_compression_bomb_is_refused(tmp_path: Path) -> None:
    """A few compressed bytes that claim a gigantic image cost no memory."""
    tifffile.imwrite(tmp_path / NAME, np.zeros((64, 64), np.uint8), compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / NAME, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages.first.tags[name].overwrite(60_000, dtype="I")
    with pytest.raises(FileUnreadableError, match="60000 × 60000"):
        read(tmp_path / NAME)


def test_missing_file_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    """A file that vanished is reported like any other unreadable file."""
    with pytest.raises(FileUnreadableError, match="cannot be read"):
        read_frame(FileReady(tmp_path / NAME, 10, 0), DEFAULT_FILE_PATTERN, SIDECAR)
