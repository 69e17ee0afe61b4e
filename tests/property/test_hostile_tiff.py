"""Damaged and hostile files: an error with its remedy, never a crash, a hang, or memory without bound."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from daemon.completeness import Progress, judge
from daemon.config import ChannelSection
from daemon.errors import FileUnreadableError
from daemon.items import FileReady, Frame
from daemon.metadata.plain import Sidecar
from daemon.reader import read_frame
from tests.conftest import fei_ini

SIDECAR = Sidecar((ChannelSection(name="2kV", voltage_kv=2.0),))
XML = (
    "<Metadata><ScanSettings><ScanArea><X>0</X><Y>0</Y><Width>9</Width><Height>9</Height></ScanArea>"
    "</ScanSettings></Metadata>"
)
MIB = 1 << 20


def sound(**flavour: object) -> bytes:
    """A small sound file with metadata."""
    buffer = io.BytesIO()
    image = np.random.default_rng(1).integers(1, 255, (12, 10)).astype(np.uint8)
    tags = [(34682, "s", 0, fei_ini(), True), (34683, "s", 0, XML, True)]
    tifffile.imwrite(buffer, image, metadata=None, extratags=tags, **flavour)
    return buffer.getvalue()


SEEDS = [
    sound(),
    sound(rowsperstrip=1, byteorder=">"),
    sound(bigtiff=True),
    sound(tile=(16, 16), compression="zlib"),
    sound(compression="lzw", predictor=True),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sound file with bytes changed (mostly in its header and tables), pieces moved, or its end cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    hostile = st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)
    for _ in range(draw(st.integers(1, 8))):
        near = draw(st.booleans())
        position = draw(st.integers(0, min(len(data), 260 if near else len(data)) - 1))
        data[position] = draw(hostile)
    if draw(st.booleans()):
        width = draw(st.sampled_from([2, 4, 8]))
        position = draw(st.integers(0, len(data) - width))
        data[position : position + width] = draw(st.sampled_from([b"\xff", b"\0", b"\x7f"])) * width
    return bytes(data[: draw(st.sampled_from([len(data)] * 4 + [len(data) - 1, len(data) // 2]))])


def attempt(path: Path, data: bytes) -> Frame | None:
    """What reading gives: a frame, or None for an orderly refusal."""
    path.write_bytes(data)
    status = path.stat()
    ready = FileReady(path, status.st_size, status.st_mtime_ns)
    try:
        return read_frame(ready, r"(?P<slice>\d+)\.tif", SIDECAR)
    except FileUnreadableError as error:
        refusal = error
    assert refusal.what
    assert refusal.where == str(path)
    assert refusal.remedy
    return None


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutated())
@example(SEEDS[0])
def test_mutated_files_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    """Every mutation gives an image of a size that the file can hold, or a FileUnreadableError."""
    tracemalloc.start()
    try:
        frame = attempt(tmp_path / "1.tif", data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * MIB
    if frame is not None:
        assert frame.image.nbytes <= 2000 * len(data)


@settings(max_examples=400)
@given(mutated())
def test_mutated_files_are_judged(data: bytes) -> None:
    """The judgement of completeness never raises, and a complete file really is one with pixels inside."""
    verdict = judge(lambda offset, length: data[offset : offset + length], len(data), "mutated")
    assert verdict.progress in Progress
    assert (verdict.progress is Progress.COMPLETE) == (verdict.reason == "")
    if verdict.progress is Progress.COMPLETE:
        assert pixels_end(data) <= len(data)


def pixels_end(data: bytes) -> int:
    """Where the last strip or tile of the first image ends, as tifffile sees it; 0 if it cannot tell."""
    try:
        page = tifffile.TiffFile(io.BytesIO(data)).pages.first
        return max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError, struct.error):
        return 0


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_noise_is_judged(data: bytes) -> None:
    """Arbitrary bytes behind a TIFF's magic number lead to a verdict."""
    for magic in (b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"):
        content = magic + data
        judge(lambda offset, length, c=content: c[offset : offset + length], len(content), "noise")


def test_gigantic_tile_is_refused(tmp_path: Path) -> None:
    """A decoder takes memory for whole tiles: a tile far larger than its bytes is refused before that."""
    (tmp_path / "1.tif").write_bytes(SEEDS[3])
    with tifffile.TiffFile(tmp_path / "1.tif", mode="r+") as file:
        file.pages.first.tags["TileWidth"].overwrite(1 << 24, dtype="I")
    assert attempt(tmp_path / "1.tif", (tmp_path / "1.tif").read_bytes()) is None


@pytest.mark.parametrize("seed", range(len(SEEDS)))
@pytest.mark.parametrize(
    ("width", "height"), [(10**6, 10**6), (10**6, 12), (10, 2**31), (2**32 - 1, 2**32 - 1)]
)
def test_header_that_claims_a_gigantic_image(tmp_path: Path, seed: int, width: int, height: int) -> None:
    """10⁶ × 10⁶ px in a file of a kilobyte is refused, and costs no memory and no time."""
    path = tmp_path / "1.tif"
    path.write_bytes(SEEDS[seed])
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["ImageWidth"].overwrite(width, dtype="I")
        file.pages.first.tags["ImageLength"].overwrite(height, dtype="I")
    tracemalloc.start()
    try:
        assert attempt(path, path.read_bytes()) is None
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.just(fei_ini().encode()),
    st.binary(max_size=300)
    | st.lists(st.sampled_from(["<a>", "</a>", "<Metadata>", "&x;", "<!ENTITY", "]]>"]), max_size=30).map(
        lambda parts: "".join(parts).encode()
    ),
)
def test_any_metadata_text_is_read_or_refused(tmp_path: Path, ini: bytes, xml: bytes) -> None:
    """Whatever stands in the vendor's tags: an image with what could be understood, or an orderly refusal."""
    buffer = io.BytesIO()
    tags = [(34682, "B", len(ini), ini, True), (34683, "B", len(xml), xml, True)]
    tifffile.imwrite(
        buffer, np.ones((12, 10), np.uint8), metadata=None, extratags=[tag for tag in tags if tag[1:][1]]
    )
    frame = attempt(tmp_path / "1.tif", buffer.getvalue())
    assert frame is None or frame.image.shape[1] == 10


@pytest.mark.parametrize("data", SEEDS)
def test_seeds_are_sound(tmp_path: Path, data: bytes) -> None:
    """The files that are mutated are read as they are: the fuzzing starts from what works."""
    frame = attempt(tmp_path / "1.tif", data)
    assert frame is not None
    assert frame.image.shape == (9, 10)
