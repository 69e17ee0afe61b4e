"""A microscope's TIFF as the pieces in which it reaches the disk: header, pixels, directory, tags.

The order is that of the FEI software: one row per strip behind the header, then the Exif directory, the main
directory, the strips' sizes and offsets, and last the text tags. The header names the directory's final place
from the start, so that a file which still grows looks like a TIFF long before it is one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 8
ASCII, SHORT, LONG, IFD = 2, 3, 4, 13
IMAGE_UNIQUE_ID = 42016
EXIF_IFD = 34665
Entry = tuple[int, int, int, bytes]
"""Tag code, type, count, and the four bytes of the value or of its offset."""


def tiff_pieces(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    texts: Sequence[tuple[int, bytes]],
    unique_id: str,
    pixel_pieces: int,
) -> tuple[bytes, ...]:
    """The file's bytes in the order they are written and flushed.

    ``image`` is (h, w) with h ≥ 2, ``texts`` are (tag code, text without its NUL),
    ``pixel_pieces`` says in how many flushes the pixels go.
    """
    height, width = image.shape
    pixels = np.ascontiguousarray(image.astype(image.dtype.newbyteorder("<"), copy=False))
    exif_at = _even(HEADER_BYTES + pixels.nbytes)
    exif = _exif_directory(unique_id, exif_at)
    directory_at = exif_at + len(exif)
    entry_count = 11 + len(texts)
    sizes_at = directory_at + 6 + 12 * entry_count
    sizes, offsets = _strip_tables(height, width * image.itemsize)
    blocks = _placed_texts(texts, sizes_at + len(sizes) + len(offsets))
    entries = _image_entries(height, width, 8 * image.itemsize, (sizes_at, sizes_at + len(sizes)))
    entries.append((EXIF_IFD, IFD, 1, struct.pack("<I", exif_at)))
    entries += [(code, ASCII, len(text), struct.pack("<I", at)) for code, at, text in blocks]
    entries.sort()
    header = struct.pack("<2sHI", b"II", 42, directory_at)
    padding = b"\0" * (exif_at - HEADER_BYTES - pixels.nbytes)
    rows = [band.tobytes() for band in np.array_split(pixels, min(pixel_pieces, height))]
    tail = [padding + exif, _directory(entries) + sizes + offsets]
    return (header, *rows, *tail, *(_padded(text) for _, _, text in blocks))


def _even(position: int) -> int:
    """TIFF wants values at even offsets."""
    return position + position % 2


def _padded(text: bytes) -> bytes:
    return text + b"\0" * (len(text) % 2)


def _placed_texts(texts: Sequence[tuple[int, bytes]], start: int) -> list[tuple[int, int, bytes]]:
    """(code, offset, NUL-terminated text), one behind the other from ``start``."""
    placed: list[tuple[int, int, bytes]] = []
    for code, text in texts:
        placed.append((code, start, text + b"\0"))
        start += len(_padded(text + b"\0"))
    return placed


def _strip_tables(height: int, row_bytes: int) -> tuple[bytes, bytes]:
    """Sizes and offsets of the strips, one row each, as LONG arrays."""
    sizes = np.full(height, row_bytes, dtype="<u4")
    offsets = HEADER_BYTES + row_bytes * np.arange(height, dtype=np.int64)
    return sizes.tobytes(), offsets.astype("<u4").tobytes()


def _image_entries(height: int, width: int, bits: int, tables_at: tuple[int, int]) -> list[Entry]:
    """The baseline tags of an uncompressed grey image, ascending."""
    sizes_at, offsets_at = tables_at
    return [
        _short(256, width),
        _short(257, height),
        _short(258, bits),
        _short(259, 1),
        _short(262, 1),
        (273, LONG, height, struct.pack("<I", offsets_at)),
        _short(277, 1),
        _short(278, 1),
        (279, LONG, height, struct.pack("<I", sizes_at)),
        _short(284, 1),
    ]


def _short(code: int, value: int) -> Entry:
    return code, SHORT, 1, struct.pack("<HH", value, 0)


def _directory(entries: Sequence[Entry]) -> bytes:
    body = b"".join(struct.pack("<HHI", code, kind, count) + value for code, kind, count, value in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)


def _exif_directory(unique_id: str, at: int) -> bytes:
    """A directory with the image's unique id, its text behind it."""
    text = unique_id.encode("ascii") + b"\0"
    entry = (IMAGE_UNIQUE_ID, ASCII, len(text), struct.pack("<I", at + 6 + 12))
    return _directory([entry]) + _padded(text)
