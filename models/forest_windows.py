"""Windows of a slice as a forest sees them in a run: without noise, and at the ends of the run.

A face that has just been milled is the newest of all, so its history ends with it; that of the first faces
begins with them. Where slices are missing the nearest one stands in (:mod:`models.windows`), so a forest that
has learned from whole histories alone takes what stands still there for solid material.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from algorithms.denoising import METHODS
from models.forest import AnnotatedWindow
from models.forest_features import ADJACENT_SLICES
from models.spec import Denoise
from models.windows import window_slices

HALF = ADJACENT_SLICES // 2


def denoised(window: AnnotatedWindow, denoise: Denoise) -> AnnotatedWindow:
    """The window with the noise taken out of every image by itself."""
    method = METHODS[denoise]
    images = np.stack([np.stack([method(image) for image in channel]) for channel in window.images])
    return replace(window, images=images)


def cut(window: AnnotatedWindow, before: int = HALF, after: int = HALF) -> AnnotatedWindow:
    """The same slice with so many slices before and after it, and the first and the last repeated."""
    chosen = window_slices(HALF, range(HALF - before, HALF + after + 1), ADJACENT_SLICES)
    return replace(window, images=np.ascontiguousarray(window.images[:, list(chosen)]))


def newest(window: AnnotatedWindow) -> AnnotatedWindow:
    """The slice as the newest of all: what a provisional segmentation sees."""
    return cut(window, after=0)


def with_ends(windows: Iterable[AnnotatedWindow], rng: np.random.Generator) -> Iterator[AnnotatedWindow]:
    """Each window whole, as the newest slice, and as one near the end and near the beginning of a run."""
    for window in windows:
        yield window
        yield newest(window)
        yield cut(window, after=int(rng.integers(1, HALF)))
        yield cut(window, before=int(rng.integers(HALF)))
