"""Binary planes as bits, 64 pixels to a word, so that a shift, an AND and a count cover a plane in
microseconds.

Pixel x of a row is bit ``x % 64`` of word ``x // 64``; the bits beyond the width are 0. Planes are
``(height, words)`` uint64. Bits that leave a plane are lost and zeros enter: there is no periodic wrap, so an
AND of a plane with a moved plane counts only segments that fit in the data.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
WORD = 64


def pack(solid: NDArray[np.bool_]) -> Bits:
    """A boolean plane ``(y, x)`` as bits ``(y, ceil(x / 64))``."""
    height, width = solid.shape
    packed = np.packbits(solid, axis=1, bitorder="little")
    padded = np.zeros((height, -(-width // WORD) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64, copy=False)


def unpack(bits: Bits, width: int) -> NDArray[np.bool_]:
    """The boolean plane ``(y, width)`` that was packed."""
    octets = bits.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=width, bitorder="little").astype(np.bool_)


def _overlap(words: int, offset: int) -> tuple[slice, slice]:
    """Where word j and word j + offset both exist, as slices of j and of j + offset."""
    first, last = max(0, -offset), max(0, -offset, min(words, words - offset))
    return slice(first, last), slice(first + offset, last + offset)


def moved_columns(bits: Bits, dx: int) -> Bits:
    """A plane with ``result[y, x] = bits[y, x + dx]``, 0 where x + dx lies outside; ``dx`` of either sign.

    With negative ``dx`` bits may come to lie beyond the width: AND the result with a packed plane before
    counting.
    """
    whole, part = divmod(dx, WORD)
    moved = np.zeros_like(bits)
    target, source = _overlap(bits.shape[1], whole)
    np.right_shift(bits[:, source], np.uint64(part), out=moved[:, target])
    if part:
        target, source = _overlap(bits.shape[1], whole + 1)
        moved[:, target] |= bits[:, source] << np.uint64(WORD - part)
    return moved


def moved_rows(bits: Bits, dy: int) -> Bits:
    """A plane with ``result[y] = bits[y + dy]``, 0 where y + dy lies outside; ``dy`` of either sign."""
    moved = np.zeros_like(bits)
    target, source = _overlap(bits.shape[0], dy)
    moved[target] = bits[source]
    return moved


def lagged_columns(bits: Bits, lags: int) -> Iterator[Bits]:
    """The plane moved by 0, 1 … ``lags`` px along x."""
    return (moved_columns(bits, lag) for lag in range(lags + 1))


def lagged_rows(bits: Bits, lags: int) -> Iterator[Bits]:
    """The plane moved by 0, 1 … ``lags`` px along y."""
    return (moved_rows(bits, lag) for lag in range(lags + 1))
