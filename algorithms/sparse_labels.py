"""Sparse labels as a person paints them: a few small strokes per phase on some slices of a stack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
NOBODY_SAID = 255


def draw_strokes(truth: Labels, strokes: int, radius_px: int, rng: np.random.Generator) -> Labels:
    """Labels (y, x) with ``strokes`` discs of every phase of the truth, 255 elsewhere.

    A disc ends where its phase does: nobody paints over a border on purpose.
    """
    painted = np.full(truth.shape, NOBODY_SAID, dtype=np.uint8)
    for phase in np.unique(truth):
        rows, columns = np.nonzero(truth == phase)
        for chosen in rng.integers(0, len(rows), strokes):
            _paint(painted, truth, (int(rows[chosen]), int(columns[chosen])), radius_px)
    return painted


def _paint(painted: Labels, truth: Labels, centre: tuple[int, int], radius_px: int) -> None:
    spans = [slice(max(at - radius_px, 0), at + radius_px + 1) for at in centre]
    y, x = (
        np.arange(span.start, min(span.stop, size)) - at
        for span, size, at in zip(spans, truth.shape, centre, strict=True)
    )
    is_inside = np.add.outer(y**2, x**2) <= radius_px**2
    here = is_inside & (truth[spans[0], spans[1]] == truth[centre])
    painted[spans[0], spans[1]][here] = truth[centre]
