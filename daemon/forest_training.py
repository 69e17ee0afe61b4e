"""``slicewatch train forest``: from a person's strokes, or a rendered electrode, to a forest in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from algorithms.sparse_labels import NOBODY_SAID
from daemon.errors import ConfigurationError
from daemon.image_stacks import ImageStack, array_stack, channel_stack, file_stack
from models.forest_features import ADJACENT_SLICES, FEATURE_SETS
from models.spec import Denoise
from models.windows import window_slices

if TYPE_CHECKING:
    from models.forest import AnnotatedWindow
    from models.forest_shipping import ForestMaterial
    from models.origin import Origin

EXCLUDED_SLICES: Final = 30
"""On either side of the judged slice: what looks like it must not teach (the multi-signal paper)."""
NAME: Final = "electrode_forest"
HIGHEST_LABEL: Final = 15
DENOISE: Final[Mapping[str, Denoise]] = {"none": "none", "non-local-means": "non-local-means"}
REMEDIES: Final = {
    1: "Give the one --channel that tells the phases apart best, or --features tailored for two.",
    2: "Give two different ones, that which shows most first; or --features one-signal for a single one.",
}
"""By the number of channels that the features look at."""


@dataclass(frozen=True, slots=True)
class ForestOrder:
    """What was asked for: own ``images`` of ``channels`` with sparse ``labels``, or a rendered electrode."""

    out: Path
    features: str
    denoise: str
    images: Path | None
    labels: Path | None
    channels: tuple[str, ...]
    judged_slice: int | None
    quick: bool


def command_of(order: ForestOrder) -> str:
    """What was typed for this order, defaults of what changes the forest included."""
    own = f" --images {order.images} --labels {order.labels}" if order.labels else ""
    channels = "".join(f" --channel {name}" for name in order.channels)
    judged = "" if order.judged_slice is None else f" --judge {order.judged_slice}"
    denoise = "" if order.denoise == "none" else f" --denoise {order.denoise}"
    quick = " --quick" if order.quick else ""
    options = f"{own}{channels}{judged} --features {order.features}{denoise}{quick}"
    return f"slicewatch train forest --out {order.out}{options}"


def train_own_forest(order: ForestOrder, origin: Origin, report: Callable[[str], None]) -> dict[str, str]:
    """Train and ship; the checksum of the file by its name.

    Raises
    ------
    ConfigurationError
        Images or labels are missing, unreadable, or do not fit each other.
    ModelError
        A phase has no labels, or the exported forest differs from the trained one.
    """
    from models.forest import ForestSettings
    from models.forest_shipping import ship_forest

    _check_order(order)
    material = _annotated(order) if order.labels else _rendered(order, report)
    settings = ForestSettings(
        features=order.features, denoise=DENOISE[order.denoise], trees=30 if order.quick else 100
    )
    name = "forest" if order.labels else NAME
    return {name: ship_forest(name, material, settings, order.out, origin, report).sha256}


def _check_order(order: ForestOrder) -> None:
    """Refuse what nothing is there for."""
    for option, given, known in (
        ("features", order.features, FEATURE_SETS),
        ("denoise", order.denoise, DENOISE),
    ):
        if given not in known:
            raise ConfigurationError(
                f"{option} cannot be {given!r}",
                where=f"slicewatch train forest --{option}",
                remedy=f"Use {', '.join(known)}.",
            )
    if not order.labels and (order.images or order.channels or order.judged_slice is not None):
        raise ConfigurationError(
            "images, channels or a slice to judge by without labels",
            where="slicewatch train forest",
            remedy="Give --labels, too; without all of them a forest learns from rendered electrodes.",
        )


def _rendered(order: ForestOrder, report: Callable[[str], None]) -> ForestMaterial:
    """Strokes on rendered electrodes; those that judge are others."""
    from models.electrode_scenes import CHANNELS, ElectrodeScenes, judged_windows, rendered_windows
    from models.forest_shipping import ForestMaterial

    quick = ElectrodeScenes(scenes=2, judged=1, height=128, width=160)
    asked = quick if order.quick else ElectrodeScenes()
    return ForestMaterial(
        CHANNELS,
        list(rendered_windows(asked, report)),
        list(judged_windows(asked, report)),
        f"{asked.scenes} rendered electrodes (`models/electrode_scenes.py`), no real microscope's image",
        f"{asked.judged} rendered electrodes that it has not learned from, every pixel of one slice of each",
    )


def _annotated(order: ForestOrder) -> ForestMaterial:
    from models.forest_shipping import ForestMaterial

    if order.images is None or order.labels is None or not order.channels:
        raise ConfigurationError(
            "labels without the images that they are of",
            where="slicewatch train forest",
            remedy="Give --images and a --channel for every signal, beside --labels.",
        )
    _check_channels(order)
    if not order.images.is_dir():
        raise ConfigurationError(
            "the images are missing",
            where=str(order.images),
            remedy="--images is run.output of a run with volume.store_images = true, or a folder that has a "
            "folder or a .tif file named after each channel.",
        )
    stacks = [channel_stack(order.images, name) for name in order.channels]
    labels = _labels(order.labels, stacks[0].numbers)
    said = {number: _checked(labels, number) for number in labels.numbers}
    painted = [number for number, plane in said.items() if (plane != NOBODY_SAID).any()]
    _check_judged(order.judged_slice, painted, labels)
    learned = [number for number in painted if not _is_near(number, order.judged_slice)]
    if not learned:
        raise ConfigurationError(
            "no labels are left to learn from",
            where=labels.where,
            remedy="Paint strokes on some slices"
            + (
                f" more than {EXCLUDED_SLICES} away from the judged one."
                if order.judged_slice is not None
                else "."
            ),
        )
    judged = order.judged_slice
    _check_phases([said[number] for number in learned], None if judged is None else said[judged], labels)
    windows = [_window(number, stacks, said[number]) for number in learned]
    return ForestMaterial(
        order.channels,
        windows,
        [] if judged is None else [_window(judged, stacks, said[judged])],
        f"strokes on {len(windows)} slices of one sample",
        f"slice {judged}, more than {EXCLUDED_SLICES} slices from all that it has learned from",
    )


def _is_near(number: int, judged: int | None) -> bool:
    return judged is not None and abs(number - judged) <= EXCLUDED_SLICES


def _labels(path: Path, numbers: Sequence[int]) -> ImageStack:
    if not path.is_dir():
        raise ConfigurationError(
            "the labels are missing",
            where=str(path),
            remedy="--labels is a folder of TIFF files, one a slice with its number, or a Zarr array.",
        )
    is_array = any((path / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))
    return array_stack(path, numbers) if is_array else file_stack(path)


def _checked(labels: ImageStack, number: int) -> NDArray[np.uint8]:
    plane = labels.read(number)
    wrong = plane[~np.isin(plane, (*range(HIGHEST_LABEL + 1), NOBODY_SAID))]
    if wrong.size:
        raise ConfigurationError(
            f"slice {number} is labelled {wrong.flat[0]:g}",
            where=labels.where,
            remedy="Labels are 0 (pore), 1, 2, … and 255 (nobody said).",
        )
    return plane.astype(np.uint8)


def _check_channels(order: ForestOrder) -> None:
    wanted = FEATURE_SETS[order.features].channels
    if len(order.channels) != wanted or len(set(order.channels)) < wanted:
        raise ConfigurationError(
            f"features {order.features!r} of the channels {', '.join(order.channels)}: "
            f"they look at {wanted}, no more and no less",
            where="slicewatch train forest --channel",
            remedy=REMEDIES[wanted],
        )


def _check_phases(
    learned: Sequence[NDArray[np.uint8]], judged: NDArray[np.uint8] | None, labels: ImageStack
) -> None:
    """Refuse phases that nothing teaches, before anything is computed."""
    taught = _phases(learned)
    needed = {0, 1, *range(max(taught, default=0)), *(_phases([judged]) if judged is not None else ())}
    if missing := sorted(needed - taught):
        raise ConfigurationError(
            f"phase {', '.join(map(str, missing))} is labelled on no slice that is learned from",
            where=labels.where,
            remedy="Label pixels of every phase: 0 (pore), 1, 2, … without a gap"
            + (f", more than {EXCLUDED_SLICES} slices from the judged one." if judged is not None else "."),
        )


def _phases(planes: Sequence[NDArray[np.uint8]]) -> set[int]:
    return {int(phase) for plane in planes for phase in np.unique(plane) if phase != NOBODY_SAID}


def _check_judged(judged: int | None, painted: Sequence[int], labels: ImageStack) -> None:
    if judged is not None and judged not in painted:
        raise ConfigurationError(
            f"slice {judged} has no labels to judge by",
            where=labels.where,
            remedy="Label all of it, or as much as you can, or leave --judge out.",
        )


def _window(number: int, stacks: Sequence[ImageStack], said: NDArray[np.uint8]) -> AnnotatedWindow:
    """The images around a slice, each channel's, with its labels."""
    from models.forest import AnnotatedWindow

    stacks[0].read(number)  # labels of a slice that has no image are none of its neighbour
    chosen = window_slices(number, stacks[0].numbers, ADJACENT_SLICES)
    channels = [np.stack([stack.read(index) for index in chosen]) for stack in stacks]
    if len({one.shape for one in channels}) > 1:
        raise ConfigurationError(
            f"around slice {number} channels differ: {', '.join(str(one.shape[1:]) for one in channels)}",
            where=" and ".join(stack.where for stack in stacks),
            remedy="Give registered images of one size.",
        )
    images = np.stack(channels)
    if images.shape[-2:] != said.shape or images.dtype.name not in ("uint8", "uint16"):
        raise ConfigurationError(
            f"slice {number} is {images.shape[-2:]} {images.dtype}, its labels are {said.shape}",
            where=stacks[0].where,
            remedy="Label the images pixel by pixel; they are grey, of 8 or 16 bits.",
        )
    return AnnotatedWindow(images, said)
