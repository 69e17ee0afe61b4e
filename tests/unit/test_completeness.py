"""A file is complete when its content is; no clock takes part."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.completeness import FEI_INI, FEI_XML, ZEISS, Progress, Verdict, ends_properly, judge, judge_file
from daemon.emulator.tiff import tiff_pieces
from tests.conftest import WriteFei, fei_ini

TEXTS = {
    "as FEI ends it": (FEI_INI, b"[A]\r\nb=\r\n\0", True),
    "without a terminator": (FEI_INI, b"[A]\r\nb=\r\n", True),
    "cut in a line, no terminator": (FEI_INI, b"[A]\r\nb=1", False),
    "zero-filled tail": (FEI_INI, b"[A]\r\nb=\r\n" + bytes(40), False),
    "last line feed not written yet": (FEI_INI, b"[A]\r\nb=1\r\0\0", False),
    "zero-filled hole": (FEI_INI, b"[A]\r\n\0\0\0\0b=\r\n\0", False),
    "nothing but zeros": (FEI_INI, bytes(30), False),
    "closed XML": (FEI_XML, b'<?xml version="1.0"?>\r\n<Metadata a="b"><C/></Metadata>\0', True),
    "XML cut in an element": (FEI_XML, b'<?xml version="1.0"?><Metadata><C/></Meta\0', False),
    "XML cut between elements": (FEI_XML, b'<?xml version="1.0"?><Metadata><C></C>\0', False),
    "Zeiss": (ZEISS, b"\r\n0\r\nAP_MAG\r\nMag = 1\r\n\0", True),
}


def judged(data: bytes, *expected: int) -> Verdict:
    """The verdict on bytes in memory."""
    return judge(lambda offset, length: data[offset : offset + length], len(data), "test", expected)


@pytest.mark.parametrize(("code", "text", "proper"), TEXTS.values(), ids=TEXTS.keys())
def test_ends_properly(code: int, text: bytes, proper: bool) -> None:
    """Metadata text that is all there is told from text whose tail was reserved but not written."""
    assert ends_properly(code, text) is proper


def test_whole_file_is_complete(tmp_path: Path, write_fei: WriteFei) -> None:
    """A file as the microscope leaves it is complete and says which metadata it carries."""
    path = write_fei(tmp_path / "a.tif")
    assert judge_file(path, path.stat().st_size) == Verdict(Progress.COMPLETE, "", frozenset({FEI_INI}))


def test_reserved_but_unwritten_metadata_is_doubtful(tmp_path: Path, write_fei: WriteFei) -> None:
    """A file of full length whose metadata still ends in zeros is not complete."""
    data = write_fei(tmp_path / "a.tif").read_bytes()
    text = data.index(b"[Beam]")
    end = data.index(b"\0", text)
    for cut in (5, 100, end - text - 3):
        holed = data[: end - cut] + bytes(cut) + data[end:]
        assert judged(holed).progress is Progress.DOUBTFUL, cut


def test_reserved_file_is_never_taken_for_whole_or_broken_while_it_is_filled() -> None:
    """Whatever its first n bytes are, with zeros behind them: a file in the microscope's order may grow."""
    image = np.random.default_rng(1).integers(1, 255, (24, 32), np.uint8)
    texts = [(FEI_INI, fei_ini().encode()), (FEI_XML, b"<Metadata><A/><B>1</B></Metadata>")]
    whole = b"".join(tiff_pieces(image, texts, "0" * 32, 4))
    assert judged(whole).progress is Progress.COMPLETE
    for written in range(len(whole)):
        torn = whole[:written] + bytes(len(whole) - written)
        expected = (Progress.INCOMPLETE, Progress.DOUBTFUL)
        assert torn == whole or judged(torn).progress in expected, written
        assert judged(whole[:written]).progress in expected or not any(whole[written:]), written


@pytest.mark.parametrize("header", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"MM\0*\0\0\0\x08"])
def test_header_of_a_reserved_file_is_waited_for(header: bytes) -> None:
    """Each beginning of a header with zeros behind it is a file that grows; other bytes are no TIFF."""
    for written in range(len(header.rstrip(b"\0"))):
        torn = header[:written] + bytes(64)
        assert judged(torn).progress is Progress.INCOMPLETE, written
    assert judged(b"IX" + bytes(62)).progress is Progress.DAMAGED


def test_metadata_that_siblings_carry_may_not_be_absent(tmp_path: Path, write_fei: WriteFei) -> None:
    """Pixels without the tag that every earlier file had are an unfinished file."""
    tifffile.imwrite(tmp_path / "bare.tif", np.ones((4, 4), np.uint8), metadata=None)
    data = (tmp_path / "bare.tif").read_bytes()
    assert judged(data).progress is Progress.COMPLETE
    assert judged(data, FEI_INI).progress is Progress.INCOMPLETE


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["asv4-helios-g4-2kv-slice-001.tif", "helios-ebeam-8bit.tif"])
def test_real_files_cut_anywhere_are_incomplete(real_data: Path, name: str) -> None:
    """Whole real files are complete; cut in the pixels, at 99 %, at 99.9 % or by one byte they are not."""
    data = (real_data / name).read_bytes()
    assert judged(data).progress is Progress.COMPLETE
    size = len(data)
    cuts = {*range(0, size, size // 400), int(size * 0.99), int(size * 0.999), *range(size - 60, size)}
    whole = memoryview(data)
    for length in cuts:
        cut = whole[:length]
        verdict = judge(lambda offset, count, cut=cut: bytes(cut[offset : offset + count]), length, name)
        assert verdict.progress is Progress.INCOMPLETE, length


RESERVED = {
    "strips": {},
    "16 bit": {"dtype": np.uint16},
    "one strip": {"rowsperstrip": 256},
    "tiles": {"tile": (64, 64)},
    "tiles beyond the image": {"tile": (128, 256)},
    "BigTIFF": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "Zeiss": {"extratags": [(ZEISS, 2, 0, "\r\nAP_ACTUALKV\r\nEHT = 1.00 kV\r\n", True)]},
}


def stored(image: np.ndarray, dtype: type = np.uint8, **options: object) -> bytes:
    """A TIFF with its directory in front of its pixels."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image.astype(dtype), metadata=None, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", RESERVED.values(), ids=RESERVED.keys())
def test_reserved_file_with_its_directory_in_front_is_not_taken_for_whole(options: dict[str, object]) -> None:
    """Full size, and zeros where pixels are still to come: not complete, be it a sixtieth."""
    image = np.random.default_rng(1).integers(1, 255, (200, 320))
    data = stored(image, **options)
    assert judged(data).progress is Progress.COMPLETE
    last = len(data.rstrip(b"\0"))
    for lacking in (last // 60, 4096, last // 3, last * 9 // 10):
        torn = data[: last - lacking] + bytes(len(data) - last + lacking)
        assert judged(torn).progress in (Progress.UNPROVEN, Progress.INCOMPLETE), lacking
        assert judged(torn).reason


def test_black_bottom_is_proven_by_what_was_written_behind_it(tmp_path: Path) -> None:
    """Metadata behind the pixels was written after them: such an image need not wait."""
    image = np.random.default_rng(1).integers(1, 255, (24, 32), np.uint8)
    image[-4:] = 0
    texts = [(FEI_INI, fei_ini().encode())]
    assert judged(b"".join(tiff_pieces(image, texts, "0" * 32, 4))).progress is Progress.COMPLETE
    assert judged(stored(image)).progress is Progress.UNPROVEN
