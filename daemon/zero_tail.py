"""Do the pixels of a file end in zeros with nothing written behind them: black, or not written yet?

A copy that reserves a file's size first leaves zeros at its end until it is done. Where the metadata lies in
front of the pixels, the content cannot tell such a file from an image whose bottom is black.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from daemon import tiff_layout
from daemon.tiff_layout import Entry, Layout, Read

_TAIL_BYTES: Final = 4096
"""Copies write in blocks of at least a page: what they have not written is seldom less."""
_LARGEST_SHARE: Final = 64
_LONGEST_PROOF: Final = 1 << 16


def ends_in_zeros(read: Read, layout: Layout) -> bool:
    """Whether the last row, or page, of the first image is zeros and nothing behind proves it black.

    A file is written from its front: anything behind the pixels that is not zeros was written after them.
    """
    begin, stored_to = _pixels(read, layout)
    end = stored_to - _padding_bytes(read, layout)
    wanted = max(_row_bytes(read, layout), min(_TAIL_BYTES, (end - begin) // _LARGEST_SHARE))
    start = max(begin, end - wanted)
    if end <= begin or any(read(start, end - start)):
        return False
    if any(directory.offset >= stored_to for directory in layout.directories):
        return False
    return not any(_is_written(read, entry) for entry in _behind(layout, stored_to))


def _pixels(read: Read, layout: Layout) -> tuple[int, int]:
    """The bytes that the strips or tiles of the first image lie in."""
    entries = layout.directories[0].entries
    for offsets_code, counts_code in tiff_layout.PIXELS.items():
        if offsets_code in entries and counts_code in entries:
            offsets = tiff_layout.numbers(read, layout, entries[offsets_code])
            counts = tiff_layout.numbers(read, layout, entries[counts_code])
            return int(offsets.min()), int((offsets + counts).max())
    return 0, 0


def _row_bytes(read: Read, layout: Layout) -> int:
    """Bytes of one row of pixels if they are not compressed; no row is longer when they are."""
    width, bits = (
        tiff_layout.number(read, layout, code, 1)
        for code in (tiff_layout.IMAGE_WIDTH, tiff_layout.BITS_PER_SAMPLE)
    )
    return (width * bits + 7) // 8 if _is_plain(read, layout) else 1


def _padding_bytes(read: Read, layout: Layout) -> int:
    """Bytes at the end of the last tile that lie beyond the image: they are zeros in a whole file, too."""
    across, down, width, height, bits = (
        tiff_layout.number(read, layout, code, 0)
        for code in (
            tiff_layout.TILE_WIDTH,
            tiff_layout.TILE_LENGTH,
            tiff_layout.IMAGE_WIDTH,
            tiff_layout.IMAGE_LENGTH,
            tiff_layout.BITS_PER_SAMPLE,
        )
    )
    if not across or not down or not _is_plain(read, layout):
        return 0
    return (-height % down * across + -width % across) * bits // 8


def _is_plain(read: Read, layout: Layout) -> bool:
    return tiff_layout.number(read, layout, tiff_layout.COMPRESSION, 1) == 1


def _behind(layout: Layout, end: int) -> Iterator[Entry]:
    """Tags whose values lie behind the pixels."""
    for directory in layout.directories:
        yield from (entry for entry in directory.entries.values() if entry.offset >= end)


def _is_written(read: Read, entry: Entry) -> bool:
    return any(read(entry.offset, min(entry.size, _LONGEST_PROOF)))
