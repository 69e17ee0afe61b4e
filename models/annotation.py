"""Slices that a person has annotated: patches of them to learn from, tiles to validate on, scores.

An annotated slice is a scene of one face and its neighbours, of which the middle one alone has labels, and
that one possibly in part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.scores import Confusion, confusion
from models.augmentation import Augmentation, random_window, varied
from models.datasets import Crop, Patch, PreparedScene, cut_patch, prepared_scene
from models.normalisation import FaceImage, Normalisation
from models.scenes import NOT_ANNOTATED, Scene
from models.session import Segmenter, segment
from models.windows import window_slices

MOST_TILES = 256
"""To validate on, of all slices together: a face of 3072 × 2048 px alone has a thousand."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedSlice:
    """One annotated face.

    Attributes:
        name: for people, of its labels' file or plane.
        prepared: the face between its neighbours; labels uint8, NOT_ANNOTATED where nobody said.
        middle: which slice of the scene is annotated.
        row_shares: share of the annotated pixels in each row, float64 (y,).
    """

    name: str
    prepared: PreparedScene
    middle: int
    row_shares: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Of the face (y, x)."""
        return self.prepared.scene.labels[self.middle]

    @property
    def annotated_pixels(self) -> int:
        return int((self.labels != NOT_ANNOTATED).sum())

    @property
    def is_whole(self) -> bool:
        """Whether every pixel is annotated. Of strokes nobody knows how much of each phase there is."""
        return self.annotated_pixels == self.labels.size


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Annotated slices by purpose: to learn from, and held back to judge by."""

    learned: tuple[AnnotatedSlice, ...] = ()
    held_back: tuple[AnnotatedSlice, ...] = ()

    @property
    def calibrated_on(self) -> tuple[AnnotatedSlice, ...]:
        """Those held back that are annotated as a whole: strokes would calibrate to the shares of strokes."""
        return tuple(one for one in self.held_back if one.is_whole)


NONE = Annotations()


def annotated_slice(
    name: str,
    images: FaceImage,
    labels: NDArray[np.uint8],
    middle: int,
    normalisation: Normalisation,
    *,
    square_pixels: bool,
) -> AnnotatedSlice:
    """Prepare a slice.

    Args:
        name: for people.
        images: (slice, channel, y, x) uint8 or uint16, registered to each other.
        labels: (y, x) of the slice ``middle``: 0, 1 and NOT_ANNOTATED, at least one pixel annotated.
        middle: its place among the images.
        normalisation: of the network.
        square_pixels: whether a row is as high on the face as a column is wide.
    """
    every = np.full((len(images), *labels.shape), NOT_ANNOTATED, np.uint8)
    every[middle] = labels
    scene = Scene(images, every, images.shape[-1], square_pixels)
    counts = (labels != NOT_ANNOTATED).sum(axis=1)
    return AnnotatedSlice(name, prepared_scene(scene, normalisation), middle, counts / counts.sum())


def annotated_patch(
    slices: Sequence[AnnotatedSlice],
    channels: Sequence[int],
    patch_px: int,
    adjacent_slices: int,
    normalisation: Normalisation,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Patch:
    """A varied patch of a random slice that holds at least one annotated pixel."""
    chosen = slices[int(rng.integers(len(slices)))]
    scene = chosen.prepared.scene
    row = int(rng.choice(len(chosen.row_shares), p=chosen.row_shares))
    column = int(rng.choice(np.flatnonzero(chosen.labels[row] != NOT_ANNOTATED)))
    height, width = chosen.labels.shape
    window = random_window(chosen.middle, len(scene.images), adjacent_slices, augmentation, rng)
    crop = Crop(
        chosen.middle, window, _around(row, height, patch_px, rng), _around(column, width, patch_px, rng)
    )
    patch = cut_patch(chosen.prepared, crop, channels, normalisation)
    return varied(patch, scene.square_pixels, augmentation, rng)


def annotated_tiles(
    slices: Sequence[AnnotatedSlice],
    channels: Sequence[int],
    side_px: int,
    adjacent_slices: int,
    normalisation: Normalisation,
) -> list[Patch]:
    """Tiles with annotated pixels, as they are; of more than MOST_TILES an even choice."""
    places = [
        (chosen, rows, columns) for chosen in slices for rows, columns in _annotated_places(chosen, side_px)
    ]
    every = -(-len(places) // MOST_TILES)
    tiles: list[Patch] = []
    for chosen, rows, columns in places[::every]:
        window = _window(chosen, adjacent_slices)
        crop = Crop(chosen.middle, window, rows, columns)
        tiles.append(cut_patch(chosen.prepared, crop, channels, normalisation))
    return tiles


def judged(segmenter: Segmenter, slices: Sequence[AnnotatedSlice], channels: Sequence[int]) -> Confusion:
    """Of the annotated pixels of the slices."""
    total: Confusion = np.zeros((2, 2), np.int64)
    for chosen in slices:
        window = _window(chosen, segmenter.spec.adjacent_slices)
        images = chosen.prepared.scene.images[np.ix_(window, channels)].swapaxes(0, 1)
        found = segment(segmenter, images).argmax(axis=0).astype(np.uint8)
        known = chosen.labels != NOT_ANNOTATED
        total = total + confusion(chosen.labels[known], found[known])
    return total


def _window(chosen: AnnotatedSlice, adjacent_slices: int) -> tuple[int, ...]:
    return window_slices(chosen.middle, range(len(chosen.prepared.scene.images)), adjacent_slices)


def _around(place: int, length: int, side_px: int, rng: np.random.Generator) -> slice:
    """A random span of ``side_px`` inside 0 … length that holds the place."""
    first, last = max(0, place - side_px + 1), min(place, length - side_px)
    start = int(rng.integers(first, last + 1))
    return slice(start, start + side_px)


def _annotated_places(chosen: AnnotatedSlice, side_px: int) -> Iterator[tuple[slice, slice]]:
    height, width = chosen.labels.shape
    for top in _starts(height, side_px):
        for left in _starts(width, side_px):
            rows, columns = slice(top, top + side_px), slice(left, left + side_px)
            if (chosen.labels[rows, columns] != NOT_ANNOTATED).any():
                yield rows, columns


def _starts(length: int, side_px: int) -> list[int]:
    """Tiles side by side; the last one ends with the image and may overlap the one before."""
    return [*range(0, length - side_px, side_px), length - side_px]
