"""Segmentation of a face: the registered images of adjacent slices in, phase probabilities out.

The network looks at ``adjacent_slices`` faces at once, so a face is *provisional* when it arrives and *final*
when the faces behind it are there. Missing neighbours are replaced by the nearest face that exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.denoising import METHODS
from algorithms.resampling import most_probable
from algorithms.translation import covered, translate
from daemon.config import Configuration, Region
from daemon.items import Image, RegisteredSlice, SegmentedSlice, Status
from models.errors import ModelMismatchError
from models.jury import assemble_jury
from models.session import Segmenter, open_segmenter, segment
from models.spec import check_denoised, check_fits, described
from models.windows import window_slices

ZOO = Path(__file__).parents[2] / "models" / "zoo"
# The shipped networks by the voltages they were trained for, kV (see models/zoo/*.md).
SHIPPED: Mapping[tuple[float, ...], str] = {
    (1.0, 2.0, 4.0): "late_fusion.onnx",
    (1.0,): "unet_1kv.onnx",
    (2.0,): "unet_2kv.onnx",
    (4.0,): "unet_4kv.onnx",
}


# The shipped forests by the detectors whose signals they were trained on (models/zoo/electrode_forest.md).
SHIPPED_FORESTS: Mapping[tuple[str, ...], str] = {("se2", "inlens"): "electrode_forest.onnx"}


@dataclass(frozen=True, slots=True, eq=False)
class FaceStack:
    """The registered region of interest of one slice: ``images`` is (channel, y, x)."""

    index: int
    images: Image


def model_paths(configuration: Configuration) -> tuple[Path, ...]:
    """The configured network, or the shipped one that fits the channels; of two of the three voltages that
    the fused network was made for, the network of each.

    Raises
    ------
    ModelMismatchError
        No network is configured and none of the shipped ones fits.
    """
    configured = configuration.segmentation.model
    voltages, detectors = _channels(configuration)
    if configured:
        return (at_home(configured),)
    forest = SHIPPED_FORESTS.get(tuple(detector.casefold() for detector in detectors))
    if forest and voltages not in SHIPPED:
        return (ZOO / forest,)
    if len(voltages) == len(set(voltages)) == 2 and all((voltage,) in SHIPPED for voltage in voltages):
        return tuple(ZOO / SHIPPED[(voltage,)] for voltage in voltages)
    if voltages not in SHIPPED:
        known = "; ".join(" + ".join(f"{kv:g} kV" for kv in key) for key in SHIPPED)
        raise ModelMismatchError(
            f"no shipped network is for channels of {described(voltages, detectors)}",
            "[segmentation] model",
            f"There are networks for {known}, and for the detectors SE2 + InLens; configure such channels in "
            "that order, or a network of yours.",
        )
    return (ZOO / SHIPPED[voltages],)


def at_home(configured: str) -> Path:
    """A network's path as configured; a relative one that leads nowhere is relative to slicewatch itself."""
    path = Path(configured)
    return path if path.is_absolute() or path.exists() else ZOO.parents[1] / path


def open_model(configuration: Configuration, cores: int) -> Segmenter:
    """The network, ready to run on the best hardware that works.

    Raises
    ------
    ModelError
        The file is missing, damaged, for other channels or images treated otherwise, or nothing may run it.
    """
    section = configuration.segmentation
    paths = model_paths(configuration)
    where = ", ".join(str(path) for path in paths)
    members = [
        open_segmenter(
            path,
            section.providers,
            allow_cpu_fallback=section.allow_cpu_fallback,
            threads=section.threads or cores,
        )
        for path in paths
    ]
    segmenter = assemble_jury(members, where) if len(members) > 1 else members[0]
    check_fits(segmenter.spec, *_channels(configuration), where)
    check_denoised(segmenter.spec, section.denoise, where)
    return segmenter


def _channels(configuration: Configuration) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Voltages and detectors of the channels, in order."""
    channels = configuration.channels
    return tuple(one.voltage_kv for one in channels), tuple(one.detector for one in channels)


def align(registered: RegisteredSlice, channels: Sequence[str], roi: Region) -> FaceStack:
    """Cut the region of interest out of every channel, moved into the reference frame.

    The region is in px of the reference frame; what lies outside an image repeats its edge.
    """
    images = [
        cropped(moved(registered.frames[name].image, shift.dy_px, shift.dx_px), roi)
        for name, shift in ((name, registered.shifts[name]) for name in channels)
    ]
    return FaceStack(registered.index, np.stack(images))


def prepared(face: FaceStack, configuration: Configuration) -> FaceStack:
    """The face as the network is to see it: as it is, or without its noise."""
    denoised = METHODS[configuration.segmentation.denoise]
    return FaceStack(face.index, np.stack([denoised(image) for image in face.images]))


def moved(image: Image, dy_px: float, dx_px: float) -> Image:
    """An image (y, x) in the reference frame; pixels it does not cover repeat the nearest that it does."""
    whole = translate(image, dy_px, dx_px)
    rows, columns = covered((image.shape[0], image.shape[1]), dy_px, dx_px)
    margins = [
        (rows.start, image.shape[0] - rows.stop),
        (columns.start, image.shape[1] - columns.stop),
    ]
    return np.pad(whole[rows, columns], margins, mode="edge")


def cropped(image: Image, roi: Region) -> Image:
    """The region of an image (y, x); a width or height of 0 means to the edge."""
    height = roi.height or image.shape[0] - roi.y
    width = roi.width or image.shape[1] - roi.x
    return image[roi.y : roi.y + height, roi.x : roi.x + width]


def classify(segmenter: Segmenter, faces: Sequence[FaceStack], centre: int) -> NDArray[np.float32]:
    """Phase probabilities (class, y, x) of face ``centre`` from the faces at hand."""
    stacked: Any = np.stack([face.images for face in window(segmenter, faces, centre)], axis=1)
    return segment(segmenter, stacked)


def window(segmenter: Segmenter, faces: Sequence[FaceStack], centre: int) -> list[FaceStack]:
    """Those of the faces at hand that the network looks at to classify face ``centre``, in order."""
    by_index = {face.index: face for face in faces}
    chosen = window_slices(centre, list(by_index), segmenter.spec.adjacent_slices)
    return [by_index[index] for index in chosen]


def segmented(index: int, probabilities: NDArray[np.float32], status: Status) -> SegmentedSlice:
    """The record of a face's segmentation from its phase probabilities (class, y, x)."""
    return SegmentedSlice(index, most_probable(probabilities), 1.0 - probabilities[0], status)
