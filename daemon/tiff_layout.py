"""Where everything of a TIFF lies: directories, tag values, strips and tiles, checked against its size.

Nothing a header claims is believed before it fits into the file, so a header that claims 10⁶ × 10⁶ px costs
nothing. Pixels are never read here. The format: TIFF 6.0 (Aldus, 1992) §2 and the BigTIFF design (2007).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.errors import FileUnreadableError

Read = Callable[[int, int], bytes]
"""``read(offset, length)`` gives at most ``length`` bytes from ``offset``."""

IMAGE_WIDTH: Final = 256
IMAGE_LENGTH: Final = 257
BITS_PER_SAMPLE: Final = 258
COMPRESSION: Final = 259
SAMPLES_PER_PIXEL: Final = 277
TILE_WIDTH: Final = 322
TILE_LENGTH: Final = 323
PIXELS: Final = {273: 279, 324: 325}
"""Offsets tag → byte-counts tag, for strips and for tiles."""
_SUB_DIRECTORIES: Final = (330, 34665)
_TYPE_SIZES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
_INTEGERS: Final = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_MOST_DIRECTORIES: Final = 4096
_MOST_STRIPS: Final = 1 << 22
"""More than one strip per row of the tallest imaginable scan: a larger count is damage, not data."""


class FileIncompleteError(FileUnreadableError):
    """The file ends before its contents do, or parts of it are not filled in yet: it may still grow."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag: its TIFF type, how many values, and the bytes ``offset`` … ``offset + size`` they take."""

    code: int
    kind: int
    count: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One IFD and its tags by code."""

    offset: int
    entries: Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class Layout:
    """All directories of a file, the image's first; ``byte_order`` is ``<`` or ``>``."""

    byte_order: str
    big: bool
    directories: tuple[Directory, ...]


@dataclass(frozen=True, slots=True)
class _File:
    read: Read
    size: int
    where: str
    byte_order: str
    big: bool

    def unpack(self, layout: str, offset: int, what: str) -> tuple[int, ...]:
        layout = self.byte_order + layout
        length = struct.calcsize(layout)
        if offset + length > self.size:
            raise incomplete(f"{what} lies beyond the end of the file", self.where)
        data = self.read(offset, length)
        if len(data) != length:
            raise incomplete(f"{what} cannot be read yet", self.where)
        return struct.unpack(layout, data)


def incomplete(what: str, where: str) -> FileIncompleteError:
    """The error for a file that may still be being written."""
    return FileIncompleteError(what, where=where, remedy="Wait for the microscope, or copy the file again.")


def damaged(what: str, where: str) -> FileUnreadableError:
    """The error for a file that waiting will not mend."""
    return FileUnreadableError(what, where=where, remedy="Look at the file in another viewer; copy it again.")


def walk(read: Read, size: int, where: str) -> Layout:
    """Find every directory and check that every tag value, strip and tile ends inside ``size`` bytes.

    Raises
    ------
    FileIncompleteError
        Something lies beyond the end of the file or is not filled in yet.
    FileUnreadableError
        It is no TIFF, or its directories form a circle.
    """
    file, first = _open(read, size, where)
    main: list[Directory] = []
    seen: set[int] = set()
    for directory in _chain(file, first, seen):
        _check_pixels(file, directory)
        main.append(directory)
    below = [sub for directory in main for sub in _sub_directories(file, directory, seen)]
    return Layout(file.byte_order, file.big, (*main, *below))


def value(read: Read, entry: Entry) -> bytes:
    """The raw bytes of a tag that ``walk`` has found."""
    return read(entry.offset, entry.size)


def numbers(read: Read, layout: Layout, entry: Entry) -> NDArray[np.uint64]:
    """The values of an unsigned integer tag, (count,) uint64; empty for any other type."""
    if entry.kind not in _INTEGERS:
        return np.empty(0, np.uint64)
    data = value(read, entry)
    width = _TYPE_SIZES[entry.kind]
    whole = data[: len(data) // width * width]
    return np.frombuffer(whole, layout.byte_order + _INTEGERS[entry.kind]).astype(np.uint64)


def number(read: Read, layout: Layout, code: int, default: int) -> int:
    """The first value of an unsigned integer tag of the first directory, or ``default`` without it."""
    entry = layout.directories[0].entries.get(code)
    values = numbers(read, layout, entry) if entry else np.empty(0, np.uint64)
    return int(values[0]) if values.size else default


def _open(read: Read, size: int, where: str) -> tuple[_File, int]:
    """Byte order, flavour, and the offset of the first directory."""
    magic = read(0, min(size, 8))
    if len(magic) < 8 or _is_begun(magic):
        raise incomplete("the TIFF header is not written yet", where)
    order = {b"II": "<", b"MM": ">"}.get(magic[:2])
    version = struct.unpack(f"{order or '<'}H", magic[2:4])[0]
    if order is None or version not in (42, 43):
        raise damaged(f"not a TIFF: it begins with {magic[:4]!r}", where)
    file = _File(read, size, where, order, version == 43)
    if file.big and file.unpack("2H", 4, "the BigTIFF header") != (8, 0):
        raise damaged("the BigTIFF header is damaged", where)
    offset = file.unpack("Q", 8, "the header")[0] if file.big else file.unpack("I", 4, "the header")[0]
    if offset == 0:
        raise incomplete("the header names no directory yet", where)
    return file, offset


def _is_begun(magic: bytes) -> bool:
    """Whether a header is a true one's beginning and then zeros: space was reserved and is being filled."""
    written = magic.rstrip(b"\0")
    headers = (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")
    return any(len(written) < len(h.rstrip(b"\0")) and h.startswith(written) for h in headers)


def _chain(file: _File, offset: int, seen: set[int]) -> Iterator[Directory]:
    """The directories from ``offset`` on; ``seen`` guards against circles, however they are linked."""
    while offset:
        if offset in seen or len(seen) >= _MOST_DIRECTORIES:
            raise damaged("its directories form a circle or are absurdly many", file.where)
        seen.add(offset)
        directory, offset = _directory(file, offset)
        yield directory


def _directory(file: _File, offset: int) -> tuple[Directory, int]:
    """One directory and the offset of the next."""
    count_layout, entry_layout, next_layout = ("Q", "HHQQ", "Q") if file.big else ("H", "HHII", "I")
    (count,) = file.unpack(count_layout, offset, "a directory")
    start = offset + struct.calcsize(f"={count_layout}")
    width = struct.calcsize(f"={entry_layout}")
    if count == 0:
        raise incomplete("a directory is not filled in yet", file.where)
    (following,) = file.unpack(next_layout, start + count * width, "the end of a directory")
    table = file.read(start, count * width)
    if len(table) != count * width:
        raise incomplete("a directory cannot be read yet", file.where)
    entries: dict[int, Entry] = {}
    for index, fields in enumerate(struct.iter_unpack(file.byte_order + entry_layout, table)):
        entry = _entry(file, start + index * width, fields)
        if entry is not None:
            entries[entry.code] = entry
    return Directory(offset, entries), following


def _entry(file: _File, position: int, fields: tuple[int, ...]) -> Entry | None:
    """A tag whose value lies inside the file; None for a type that TIFF 6.0 tells readers to skip."""
    code, kind, count, pointer = fields
    if kind == 0:
        raise incomplete("a tag is not filled in yet", file.where)
    if kind not in _TYPE_SIZES:
        return None
    size = count * _TYPE_SIZES[kind]
    inline = 8 if file.big else 4
    offset = position + (12 if file.big else 8) if size <= inline else pointer
    if offset + size > file.size:
        raise incomplete(f"the value of tag {code} ends beyond the file", file.where)
    return Entry(code, kind, count, offset, size)


def _sub_directories(file: _File, directory: Directory, seen: set[int]) -> Iterator[Directory]:
    """Directories that tags point to (Exif, SubIFDs); their pixels are not ours to read."""
    layout = Layout(file.byte_order, file.big, ())
    for code in _SUB_DIRECTORIES:
        entry = directory.entries.get(code)
        if entry is None or entry.count > _MOST_DIRECTORIES:
            continue
        for offset in numbers(file.read, layout, entry).tolist():
            yield from _chain(file, offset, seen)


def _check_pixels(file: _File, directory: Directory) -> None:
    """Every strip or tile ends inside the file, and together they can hold the image that is claimed."""
    layout = Layout(file.byte_order, file.big, (directory,))
    where_what = next(((o, c) for o, c in PIXELS.items() if o in directory.entries), None)
    if where_what is None or where_what[1] not in directory.entries:
        raise incomplete("the directory does not say where its pixels are", file.where)
    offsets_tag, counts_tag = (directory.entries[code] for code in where_what)
    if max(offsets_tag.count, counts_tag.count) > _MOST_STRIPS:
        raise damaged(f"it claims {offsets_tag.count} strips", file.where)
    offsets, counts = numbers(file.read, layout, offsets_tag), numbers(file.read, layout, counts_tag)
    if offsets.size != counts.size or not offsets.size or not counts.all() or not offsets.all():
        raise incomplete("the table of strips is not filled in yet", file.where)
    size = np.uint64(file.size)
    # Each term is compared alone first: the sum of two hostile 64-bit numbers wraps around.
    if (offsets > size).any() or (counts > size).any() or (offsets + counts > size).any():
        raise incomplete("pixels lie beyond the end of the file", file.where)
    needed = _uncompressed_bytes(file.read, layout)
    if number(file.read, layout, COMPRESSION, 1) == 1 and sum(counts.tolist()) < needed:
        raise incomplete(f"an image of {needed} bytes is claimed, but its strips hold fewer", file.where)


def _uncompressed_bytes(read: Read, layout: Layout) -> int:
    width = number(read, layout, IMAGE_WIDTH, 0)
    height = number(read, layout, IMAGE_LENGTH, 0)
    bits = number(read, layout, BITS_PER_SAMPLE, 1) * number(read, layout, SAMPLES_PER_PIXEL, 1)
    return height * ((width * bits + 7) // 8)
