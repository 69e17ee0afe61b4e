"""From a complete file to a ``Frame``: one snapshot of its bytes, checked before it is believed."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import Final

import numpy as np
import tifffile

from daemon import tiff_layout
from daemon.completeness import FEI_INI, FEI_XML, ZEISS
from daemon.errors import FileUnreadableError
from daemon.items import FileReady, Frame, FrameMetadata, Image
from daemon.metadata import fei, plain, zeiss
from daemon.metadata.plain import Sidecar
from daemon.naming import slice_number
from daemon.tiff_layout import Layout, damaged

_LARGEST_FILE: Final = 1 << 31
_LARGEST_IMAGE_BYTES: Final = 1 << 30
"""A 16-bit scan of 23 000 × 23 000 px; no FIB-SEM scans more."""
_BEST_COMPRESSION: Final = 1100
"""Deflate cannot do better than 1032 : 1 (zlib technical details); a higher claim is a bomb or damage."""

# tifffile logs what it dislikes before it raises; here every such complaint becomes an error of its own.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class FileChangedError(FileUnreadableError):
    """The file was rewritten between being judged complete and being read; the watcher reports it again."""


class FileAwayError(FileUnreadableError):
    """The file cannot be reached now: its share is away, or it was removed; the watcher waits for it."""


def _slice_index(path: Path, pattern: str) -> int:
    """The slice number in a path.

    Raises
    ------
    FileUnreadableError
        The path does not match the pattern.
    """
    number = slice_number(path, pattern)
    if number is None:
        raise FileUnreadableError(
            "its name has no slice number", where=str(path), remedy="Correct run.file_pattern."
        )
    return number


def read_frame(ready: FileReady, pattern: str, sidecar: Sidecar) -> Frame:
    """Read, check and describe one image; a data bar below the scan is cut off.

    The bytes are read once; hash, metadata and pixels all come from that one snapshot, so a file that is
    rewritten meanwhile cannot yield a mixture.

    Raises
    ------
    FileAwayError
        It cannot be reached now.
    FileChangedError
        It is no longer the file that was judged complete.
    FileUnreadableError
        It is damaged, foreign, or not one grey 8- or 16-bit image.
    """
    return decoded(ready.path, snapshot(ready), pattern, sidecar)


def decoded(path: Path, content: bytes, pattern: str, sidecar: Sidecar) -> Frame:
    """Check and describe the image in a file's ``content``; ``path`` is where that lay.

    Raises
    ------
    FileUnreadableError
        It is damaged, foreign, or not one grey 8- or 16-bit image.
    """
    index = _slice_index(path, pattern)
    where = str(path)

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    layout = tiff_layout.walk(read, len(content), where)
    _check_claims(read, layout, where)
    image = _pixels(content, where)
    texts = {
        code: tiff_layout.value(read, entry)
        for code, entry in layout.directories[0].entries.items()
        if code in (FEI_INI, FEI_XML, ZEISS)
    }
    rows = _scanned_rows(texts, image.shape[0])
    return Frame(
        path=path,
        slice_index=index,
        image=image if rows == image.shape[0] else image[:rows].copy(),
        metadata=_metadata(path, texts, sidecar),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def snapshot(ready: FileReady) -> bytes:
    """All bytes of a complete file, read once.

    Raises
    ------
    FileAwayError
        It cannot be reached now.
    FileChangedError
        It is no longer the file that was judged complete.
    FileUnreadableError
        It is too large, or may not be read.
    """
    if ready.size > _LARGEST_FILE:
        raise damaged(f"a file of {ready.size} bytes is no single image", str(ready.path))
    try:
        with ready.path.open("rb") as file:
            content = file.read(ready.size + 1)
        mtime_ns = ready.path.stat().st_mtime_ns
    except OSError as error:
        kind = FileUnreadableError if isinstance(error, PermissionError) else FileAwayError
        raise kind(
            f"it cannot be read: {error.strerror or error}",
            where=str(ready.path),
            remedy="Check the share and the permissions.",
        ) from error
    if len(content) != ready.size or mtime_ns != ready.mtime_ns:
        raise FileChangedError(
            "it changed while it was read", where=str(ready.path), remedy="None needed: it is read again."
        )
    return content


def _check_claims(read: tiff_layout.Read, layout: Layout, where: str) -> None:
    """Refuse what is not one grey image of a possible size, before memory is taken for it."""
    width = tiff_layout.number(read, layout, tiff_layout.IMAGE_WIDTH, 0)
    height = tiff_layout.number(read, layout, tiff_layout.IMAGE_LENGTH, 0)
    bits = tiff_layout.number(read, layout, tiff_layout.BITS_PER_SAMPLE, 1)
    samples = tiff_layout.number(read, layout, tiff_layout.SAMPLES_PER_PIXEL, 1)
    if samples != 1 or bits not in (8, 16):
        raise FileUnreadableError(
            f"an image of {samples} × {bits} bits per pixel, not grey with 8 or 16 bits",
            where=where,
            remedy="Save grey images without colour or overlay.",
        )
    # A decoder takes memory for a whole tile, however small the image is that lies in it.
    tile = tiff_layout.number(read, layout, tiff_layout.TILE_WIDTH, 0) * tiff_layout.number(
        read, layout, tiff_layout.TILE_LENGTH, 0
    )
    claimed = max(width * height, tile) * bits // 8
    stored = sum(entry.size for entry in layout.directories[0].entries.values()) + _strip_bytes(read, layout)
    if not width * height or claimed > min(_LARGEST_IMAGE_BYTES, stored * _BEST_COMPRESSION):
        raise damaged(f"its header claims an impossible {width} × {height} px", where)


def _strip_bytes(read: tiff_layout.Read, layout: Layout) -> int:
    entries = layout.directories[0].entries
    table = entries.get(279) or entries.get(325)
    return sum(tiff_layout.numbers(read, layout, table).tolist()) if table else 0


def _pixels(content: bytes, where: str) -> Image:
    """The first page in native byte order, (y, x)."""
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            image = np.asarray(file.pages.first.asarray())
            inverted = file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except Exception as error:
        # A foreign decoder on damaged bytes may raise anything, codecs of six libraries among it.
        raise damaged(f"its pixels cannot be decoded: {error or type(error).__name__}", where) from error
    if image.ndim != 2 or image.dtype.kind != "u" or image.dtype.itemsize > 2:
        raise damaged(f"it holds {image.dtype} {image.shape} instead of one grey image", where)
    native: Image = image.astype(image.dtype.newbyteorder("="), copy=False)
    return np.iinfo(native.dtype).max - native if inverted else native


def _scanned_rows(texts: dict[int, bytes], height: int) -> int:
    """Rows above the data bar: an image that is taller than its scan carries one below it."""
    scanned = fei.scan_height_px(texts[FEI_INI], texts.get(FEI_XML)) if FEI_INI in texts else None
    return min(height, scanned) if scanned else height


def _metadata(path: Path, texts: dict[int, bytes], sidecar: Sidecar) -> FrameMetadata:
    if FEI_INI in texts:
        return plain.completed(fei.metadata(texts[FEI_INI], texts.get(FEI_XML)), sidecar)
    if ZEISS in texts:
        return plain.completed(zeiss.metadata(texts[ZEISS]), sidecar)
    return plain.metadata(path, sidecar)
