"""Where everything of a TIFF lies, for every flavour a microscope or a converter may write."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile

from daemon.errors import FileUnreadableError
from daemon.tiff_layout import FileIncompleteError, Layout, Read, number, numbers, walk

FLAVOURS = {
    "strips": {},
    "one strip per row": {"rowsperstrip": 1},
    "big endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "bigtiff, big endian": {"bigtiff": True, "byteorder": ">"},
    "tiles": {"tile": (16, 16)},
    "deflated": {"compression": "zlib"},
}


def written(dtype: str = "uint8", **flavour: object) -> bytes:
    """A small image in a flavour; noise, so that compressed strips are not trivial."""
    image = np.random.default_rng(0).integers(1, 250, (40, 48)).astype(dtype)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, image, metadata=None, extratags=[(34682, "s", 0, "[User]\r\na=b\r\n", True)], **flavour
    )
    return buffer.getvalue()


def reader(data: bytes) -> Read:
    """A way to read bytes in memory."""
    return lambda offset, length: data[offset : offset + length]


def walked(data: bytes) -> Layout:
    """The layout of bytes in memory."""
    return walk(reader(data), len(data), "test")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_every_flavour_is_walked(flavour: dict[str, object], dtype: str) -> None:
    """Classic and BigTIFF, both byte orders, strips and tiles: dimensions come out right."""
    data = written(dtype, **flavour)
    layout = walked(data)
    read = reader(data)
    assert (number(read, layout, 256, 0), number(read, layout, 257, 0)) == (48, 40)
    assert 34682 in layout.directories[0].entries


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_no_prefix_is_complete(flavour: dict[str, object]) -> None:
    """A file that lost any number of bytes of its content at its end is incomplete, never complete."""
    data = written(**flavour)
    ends = [entry.offset + entry.size for entry in walked(data).directories[0].entries.values()]
    read = reader(data)
    strips = walked(data).directories[0].entries
    offsets, counts = (strips[c] for c in ((273, 279) if 273 in strips else (324, 325)))
    pixels = numbers(read, walked(data), offsets) + numbers(read, walked(data), counts)
    content = max(max(ends), int(pixels.max()))
    for length in range(content):
        with pytest.raises(FileIncompleteError):
            walked(data[:length])


def test_circle_of_directories_is_damage() -> None:
    """A directory chain that leads back to itself ends at once, as damage."""
    data = bytearray(written())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    with pytest.raises(FileUnreadableError, match="circle"):
        walked(bytes(data))


def test_what_is_no_tiff_is_damage_not_incomplete() -> None:
    """Waiting does not turn a JPEG into a TIFF; an empty or reserved file may still become one."""
    with pytest.raises(FileUnreadableError) as damage:
        walked(b"\xff\xd8\xff\xe0" + bytes(100))
    assert not isinstance(damage.value, FileIncompleteError)
    for unwritten in (b"", b"II", bytes(1000)):
        with pytest.raises(FileIncompleteError):
            walked(unwritten)


def test_absurd_claim_costs_nothing() -> None:
    """A header that claims 10⁶ × 10⁶ px is refused because its strips cannot hold them."""
    data = bytearray(written())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for position in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, position)[0] in (256, 257):
            struct.pack_into("<HII", data, position + 2, 4, 1, 10**6)
    with pytest.raises(FileIncompleteError, match="1000000000000 bytes"):
        walked(bytes(data))
