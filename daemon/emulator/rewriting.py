"""Changes to the bytes of an image file that is about to be written: cut off, cropped, filled with noise."""

from __future__ import annotations

import io
import struct

import numpy as np
import tifffile

from daemon.emulator.image_xml import XML_TAG
from daemon.emulator.ini import INI_TAG
from daemon.emulator.tiff import HEADER_BYTES, tiff_pieces

Pieces = tuple[bytes, ...]
_NO_ID = "0" * 32


def cut(pieces: Pieces, share: float) -> Pieces:
    """The first ``share`` (0…1) of a file's bytes, in the same pieces."""
    left = int(share * sum(map(len, pieces)))
    kept: list[bytes] = []
    for piece in pieces:
        kept.append(piece[:left])
        left -= len(kept[-1])
    return tuple(piece for piece in kept if piece)


def noisy(pieces: Pieces, share: float, rng: np.random.Generator) -> Pieces:
    """The same file with the last ``share`` (0…1) of its pixels' bytes at random: a sound file of nothing."""
    whole = bytearray(b"".join(pieces))
    _, _, directory_at = struct.unpack("<2sHI", whole[:HEADER_BYTES])
    with tifffile.TiffFile(io.BytesIO(bytes(whole))) as file:
        end = min(HEADER_BYTES + file.pages.first.asarray().nbytes, directory_at)
    begin = end - int(share * (end - HEADER_BYTES))
    whole[begin:end] = rng.bytes(end - begin)
    return (bytes(whole),)


def cropped(pieces: Pieces, share: float) -> Pieces:
    """The file of the image's upper rows, ``share`` (0…1) of them, with the same metadata."""
    whole = b"".join(pieces)
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        page = file.pages.first
        image = page.asarray()
        tags = [page.tags[code] for code in (INI_TAG, XML_TAG)]
    texts = [(tag.code, whole[tag.valueoffset : tag.valueoffset + tag.count - 1]) for tag in tags]
    return tiff_pieces(image[: max(2, int(share * len(image)))], texts, _NO_ID, len(pieces))
