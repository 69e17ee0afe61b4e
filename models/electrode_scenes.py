"""Rendered electrodes to learn from: stacks of two detectors' images with a few strokes of labels on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid, gamma_depths_nm
from algorithms.electrode import electrode_structure
from algorithms.electrode_imaging import DETECTORS, render_electrode
from algorithms.sparse_labels import draw_strokes
from models.forest import AnnotatedWindow, annotated_windows
from models.forest_features import ADJACENT_SLICES

CHANNELS = tuple(DETECTORS)
PIXEL_NM = 10.0
THICKNESS_NM = (10.16, 3.12)
"""Mean and σ, as the emulated microscope mills."""
FORESHORTENED = 1 / np.sin(np.radians(52.0))
"""Rows of every other scene lie so much farther apart on the face than columns: no tilt correction."""


@dataclass(frozen=True, slots=True)
class ElectrodeScenes:
    """``scenes`` samples of their own, each with ``annotated`` slices, ``strokes`` per phase on each; and
    ``judged`` more, each with one slice of which every pixel is labelled."""

    scenes: Annotated[int, Ge(1)] = 6
    judged: Annotated[int, Ge(1)] = 6
    annotated: Annotated[int, Ge(1)] = 5
    height: Annotated[int, Ge(64)] = 224
    width: Annotated[int, Ge(64)] = 288
    strokes: Annotated[int, Ge(1)] = 16
    radius_px: Annotated[int, Ge(0)] = 3
    seed: int = 1000


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """``images`` uint8 (slice, detector, y, x) of a sample of its own, and ``truth`` uint8 (slice, y, x)."""

    images: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def rendered_windows(asked: ElectrodeScenes, report: Callable[[str], None]) -> Iterator[AnnotatedWindow]:
    """The annotated windows of all scenes, one scene after the other."""
    slices = ADJACENT_SLICES + (asked.annotated - 1) * ADJACENT_SLICES // 2
    for number in range(asked.scenes):
        rng = np.random.default_rng([asked.seed, number])
        stack = _rendered(asked, slices, number, rng)
        chosen = np.linspace(ADJACENT_SLICES // 2, slices - 1 - ADJACENT_SLICES // 2, asked.annotated)
        strokes = [
            (index, draw_strokes(stack.truth[index], asked.strokes, asked.radius_px, rng))
            for index in chosen.round().astype(int).tolist()
        ]
        report(f"scene {number + 1} of {asked.scenes}: {slices} slices of two signals")
        yield from annotated_windows(stack.images, strokes)


def judged_windows(asked: ElectrodeScenes, report: Callable[[str], None]) -> Iterator[AnnotatedWindow]:
    """Windows of samples that no training sees: one of each, of which every pixel is labelled."""
    for number in range(asked.scenes, asked.scenes + asked.judged):
        stack = _rendered(asked, ADJACENT_SLICES, number, np.random.default_rng([asked.seed, number]))
        report(f"scene {number - asked.scenes + 1} of {asked.judged} to judge by")
        middle = ADJACENT_SLICES // 2
        yield from annotated_windows(stack.images, [(middle, stack.truth[middle])])


def _rendered(asked: ElectrodeScenes, slices: int, number: int, rng: np.random.Generator) -> _Stack:
    """So many slices of one sample; of every other one rows lie farther apart than columns."""
    grid = FaceGrid(
        asked.height,
        asked.width,
        PIXEL_NM,
        PIXEL_NM * (FORESHORTENED if number % 2 else 1.0),
        *rng.uniform(0, 500, 2),
    )
    depths_nm = rng.uniform(0, 5000) + gamma_depths_nm(slices, *THICKNESS_NM, rng)
    return _Stack(*render_electrode(electrode_structure(rng), depths_nm, grid, rng))


def windows_sha256(windows: list[AnnotatedWindow]) -> str:
    """Of all images and labels in order."""
    digest = hashlib.sha256()
    for window in windows:
        digest.update(np.ascontiguousarray(window.images).tobytes())
        digest.update(_bytes(window.labels))
    return digest.hexdigest()


def _bytes(labels: NDArray[np.uint8]) -> bytes:
    return np.ascontiguousarray(labels).tobytes()
