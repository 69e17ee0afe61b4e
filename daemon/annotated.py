"""A user's annotated slices, from files to what a training learns from.

Labels are 0 (pore), 1 (solid) and 255 (nobody said). They are a folder of TIFF files, one for each annotated
slice and with its number, or a Zarr array with a plane for each slice, 255 all over where there is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ConfigurationError
from daemon.image_stacks import Image, ImageStack, array_stack, channel_stack, file_stack
from daemon.training_file import AnnotatedSource
from models.annotation import AnnotatedSlice, Annotations, annotated_slice
from models.augmentation import farthest_neighbour
from models.material import TrainingSettings
from models.scenes import NOT_ANNOTATED
from models.training import channel_name
from models.windows import window_slices

GREY_TYPES: Final = ("uint8", "uint16")
LABELS: Final = (0, 1, NOT_ANNOTATED)


def read_annotations(sources: Sequence[AnnotatedSource], settings: TrainingSettings) -> Annotations:
    """All annotated slices. The last ones of each source are held back: neighbours look so much alike that a
    slice between others would flatter the network that has learned from them.

    Raises
    ------
    ConfigurationError
        Images or labels are missing, unreadable, or do not fit each other or the settings.
    """
    learned: list[AnnotatedSlice] = []
    held_back: list[AnnotatedSlice] = []
    for source in sources:
        slices = _read_source(source, settings)
        kept = len(slices) - min(len(slices) - 1, ceil(settings.held_back_share * len(slices)))
        learned += slices[:kept]
        held_back += slices[kept:]
    if sources and not held_back:
        raise ConfigurationError(
            "one annotated slice is too few: there is none left to judge by",
            where=", ".join(str(source.labels) for source in sources),
            remedy="Annotate two slices of a sample or more, if only in part.",
        )
    return Annotations(tuple(learned), tuple(held_back))


def _read_source(source: AnnotatedSource, settings: TrainingSettings) -> list[AnnotatedSlice]:
    channels = source.channels or tuple(channel_name(voltage) for voltage in settings.voltages_kv)
    stacks = [channel_stack(source.images, channel) for channel in channels]
    _check_numbers(stacks, settings.adjacent_slices)
    labels = _open_labels(source.labels, stacks[0].numbers)
    annotated = [number for number in labels.numbers if _is_annotated(labels, number)]
    if not annotated:
        raise ConfigurationError(
            "no pixel is annotated", where=labels.where, remedy="Label some pixels 0 (pore) and 1 (solid)."
        )
    return [_slice(number, stacks, labels, source, settings) for number in annotated]


def _check_numbers(stacks: Sequence[ImageStack], adjacent_slices: int) -> None:
    first = stacks[0]
    for stack in stacks[1:]:
        if stack.numbers != first.numbers:
            raise ConfigurationError(
                f"its slices are not those of {first.where}",
                where=stack.where,
                remedy="Give an image of every slice for each channel.",
            )
    if len(first.numbers) < adjacent_slices:
        raise ConfigurationError(
            f"{len(first.numbers)} slices are too few: the network looks at {adjacent_slices} together",
            where=first.where,
            remedy="Give the neighbours of the annotated slices, too, or train with fewer adjacent_slices.",
        )


def _open_labels(path: Path, numbers: Sequence[int]) -> ImageStack:
    if not path.is_dir():
        raise ConfigurationError(
            "the labels are missing",
            where=str(path),
            remedy="annotated.labels is a folder of TIFF files or a Zarr array.",
        )
    is_array = any((path / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))
    return array_stack(path, numbers) if is_array else file_stack(path)


def _is_annotated(labels: ImageStack, number: int) -> bool:
    return bool((_checked_labels(labels, number) != NOT_ANNOTATED).any())


def _checked_labels(labels: ImageStack, number: int) -> NDArray[np.uint8]:
    found = labels.read(number)
    others = np.setdiff1d(found, LABELS)
    if others.size:
        listed = ", ".join(f"{value:g}" for value in others[:5])
        raise ConfigurationError(
            f"slice {number} is labelled {listed}",
            where=labels.where,
            remedy="Labels are 0 (pore), 1 (solid) and 255 (not annotated).",
        )
    return found.astype(np.uint8)


def _slice(
    number: int,
    stacks: Sequence[ImageStack],
    labels: ImageStack,
    source: AnnotatedSource,
    settings: TrainingSettings,
) -> AnnotatedSlice:
    """An annotated slice with as many neighbours as a window may reach."""
    annotated = _checked_labels(labels, number)
    stacks[0].read(number)  # the labels of a slice that is not there are told before all others
    reach = farthest_neighbour(settings.adjacent_slices, settings.augmentation)
    seen, middle = _neighbours(number, stacks[0].numbers, reach)
    images = [[_checked_image(stack, near, annotated.shape, settings) for stack in stacks] for near in seen]
    return annotated_slice(
        f"slice {number} of {labels.where}",
        np.array(images),
        annotated,
        middle,
        settings.normalisation,
        square_pixels=source.square_pixels,
    )


def _neighbours(number: int, existing: Sequence[int], reach: int) -> tuple[list[int], int]:
    """Slices around one that there is, up to the ends of the stack, lost ones replaced by the nearest; and
    which of them it is itself."""
    first, last = max(existing[0], number - reach), min(existing[-1], number + reach)
    nearest = dict(
        zip(
            range(number - reach, number + reach + 1),
            window_slices(number, existing, 2 * reach + 1),
            strict=True,
        )
    )
    return [nearest[wanted] for wanted in range(first, last + 1)], number - first


def _checked_image(
    stack: ImageStack, number: int, shape: tuple[int, ...], settings: TrainingSettings
) -> Image:
    image = stack.read(number)
    smallest = max(settings.patch_px, settings.tile_px)
    if image.dtype.name not in GREY_TYPES:
        what, remedy = f"slice {number} is {image.dtype}", "Give grey images of 8 or 16 bits."
    elif image.shape != shape:
        what = f"slice {number} is {image.shape}, its labels are {shape}"
        remedy = "Label the images as they are stored, pixel by pixel, and all slices of one size."
    elif min(shape) < smallest:
        what = f"slice {number} is {shape}, smaller than a patch of {smallest} px"
        remedy = "Set a smaller training.patch_px and training.size.block_px."
    else:
        return image
    raise ConfigurationError(what, where=stack.where, remedy=remedy)
