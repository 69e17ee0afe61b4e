"""Cuts an image into tiles of one shape whose kept parts cover it without seams.

A tile is larger than what is kept of it by ``reach_px`` on every side that is not the image's own edge:
what is kept has seen all the pixels that matter to it, so it equals whole-image inference.
"""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis: it covers ``[start, stop)`` and is kept on ``[keep_from, keep_to)``."""

    start: int
    stop: int
    keep_from: int
    keep_to: int

    @property
    def covered(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def kept(self) -> slice:
        """In coordinates of the image."""
        return slice(self.keep_from, self.keep_to)

    @property
    def kept_inside(self) -> slice:
        """In coordinates of the tile."""
        return slice(self.keep_from - self.start, self.keep_to - self.start)


def padded_length(length: int, stride_px: int) -> int:
    """The length rounded up to a multiple of the stride."""
    return -(-length // stride_px) * stride_px


def spans(length: int, largest_tile: int, reach_px: int, stride_px: int) -> tuple[Span, ...]:
    """The fewest equal tiles along an axis, no larger than needed.

    Args:
        length: of the axis in px, a multiple of ``stride_px``.
        largest_tile: px; at least 2·``reach_px`` + ``stride_px``.
        reach_px: how far the network sees, a multiple of ``stride_px``.
        stride_px: tiles start and end at its multiples.
    """
    if length <= largest_tile:
        return (Span(0, length, 0, length),)
    widest = largest_tile // stride_px * stride_px
    count = -(-(length - 2 * reach_px) // (widest - 2 * reach_px))
    tile = padded_length(-(-(length + 2 * reach_px * (count - 1)) // count), stride_px)
    starts = [min(index * (tile - 2 * reach_px), length - tile) for index in range(count)]
    borders = [0, *(start + reach_px for start in starts[1:]), length]
    return tuple(
        Span(start, start + tile, *kept) for start, kept in zip(starts, pairwise(borders), strict=True)
    )
