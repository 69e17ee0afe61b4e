"""The first registered faces of an acquisition, read and registered as a run does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Final

import numpy as np

from daemon.assemble import initial, rules_of, step
from daemon.assembly import Event, Finish, FrameArrived, MoveOn, SliceComplete, as_slice
from daemon.config import Configuration
from daemon.errors import ConfigurationError, FolderError
from daemon.intake import read_event
from daemon.items import Frame, Image, RegisteredSlice, Slice, Thickness
from daemon.metadata.plain import sidecar_of
from daemon.pipeline_state import PipelineState, begin_pipeline
from daemon.stages.locating import locate
from daemon.stages.segmenting import align
from daemon.watch import Watcher
from models.acquired import Acquired

LARGEST_PX: Final = 1024
"""Of a face's middle: what is kept shows the style, and 24 slices of it fit into memory anywhere."""
SMALLEST_PX: Final = 192
"""Sides below which a face shows too little of its style."""
PIXELS_NM: Final = (2.5, 5.0)
"""Pixels that the shipped networks were trained on."""
PIXEL_TOLERANCE: Final = 0.1
LEAST_SIGMA: Final = 0.1
"""Of the mean thickness: where too few slices were measured, or none."""
MOST_WAITING: Final = 3
"""Slices that lack an image: files come in the order of slices, so what the oldest lacks is not there."""
_PATIENCE_S: Final = 3.0
"""For a file that is complete: what is still being written is not waited for."""


@dataclass(frozen=True, slots=True)
class Faces:
    """How many slices to look at, and how few are enough."""

    wanted: int
    fewest: int


def acquired_faces(configuration: Configuration, faces: Faces, report: Callable[[str], None]) -> Acquired:
    """Faces of the first slices, at most LARGEST_PX a side.

    Raises
    ------
    FolderError
        There are too few whole slices.
    ConfigurationError
        A channel has no voltage, pixels are of a size that nothing was trained on, the region of interest is
        too small, or an image or a fiducial does not fit the configuration.
    """
    voltages_kv = _voltages(configuration)
    images: list[Image] = []
    thicknesses: list[float] = []
    state: PipelineState | None = None
    for state, registered, thickness in _located(configuration):
        if not images:
            _check_pixels(configuration, state)
        face = align(registered, configuration.channel_names, configuration.geometry.roi)
        images.append(_middle(face.images))
        thicknesses.append(thickness.thickness_nm)
        report(f"slice {registered.index} read: {len(images)} of at most {faces.wanted}")
        if len(images) == faces.wanted:
            break
    if state is None or len(images) < faces.fewest:
        raise _too_few(configuration, len(images), faces.fewest)
    _check_size(configuration, images[0])
    pixels = state.geometry
    thickness_nm = _mean_and_sigma(thicknesses, configuration.geometry.target_thickness_nm)
    pixel_nm = (pixels.pixel_y_nm, pixels.pixel_x_nm)
    return Acquired(np.stack(images), voltages_kv, pixel_nm, thickness_nm)


def _located(
    configuration: Configuration,
) -> Iterator[tuple[PipelineState, RegisteredSlice, Thickness]]:
    """Slices in their places, one after the other, with the state after each."""
    state: PipelineState | None = None
    for slice_ in _slices(configuration):
        state = state or begin_pipeline(configuration, slice_)
        found = locate(configuration, state, slice_, nan)
        state = replace(state, registration=found.registration, measuring=found.measuring)
        yield state, found.registered, found.thickness


def _slices(configuration: Configuration) -> Iterator[Slice]:
    """Whole slices in the order of milling, of the files that are there; slices that are not whole are passed
    over."""
    assembly, frames = initial(rules_of(configuration, 0)), dict[str, Frame]()
    for event in _events(configuration):
        if isinstance(event, FrameArrived):
            frames[event.frame.sha256] = event.frame
        assembly, outcomes = step(assembly, event, 0.0)
        while len(assembly.pending) > MOST_WAITING:
            assembly, released = step(assembly, MoveOn(), 0.0)
            outcomes += released
        for outcome in outcomes:
            if isinstance(outcome, SliceComplete):
                yield as_slice(outcome, assembly.rules, frames)
        frames = {record.sha256: frames[record.sha256] for record in assembly.waiting}


def _events(configuration: Configuration) -> Iterator[Event]:
    """Every file that is there in the order of slices, read; and that there are no more."""
    section, sidecar = configuration.run, sidecar_of(configuration)
    watcher = Watcher(section.folder, section.file_pattern, observer="off", scan_interval_s=0.2)
    watcher.start()
    try:
        while files := watcher.take(_PATIENCE_S, 1):
            yield read_event(files[0], section.file_pattern, sidecar)[0]
    finally:
        watcher.stop()
    yield Finish()


def _voltages(configuration: Configuration) -> tuple[float, ...]:
    voltages_kv = tuple(channel.voltage_kv for channel in configuration.channels)
    if not all(voltages_kv) or len(set(voltages_kv)) < len(voltages_kv):
        raise ConfigurationError(
            "channels are told apart by their detectors, not by their voltages",
            where="[[channels]] voltage_kv",
            remedy="A network is adapted to images of gold in epoxy at known voltages, one channel each; an "
            "electrode's forest is trained by `slicewatch train forest`.",
        )
    return voltages_kv


def _check_pixels(configuration: Configuration, state: PipelineState) -> None:
    width_nm = state.geometry.pixel_x_nm
    least, most = PIXELS_NM
    if not least * (1 - PIXEL_TOLERANCE) <= width_nm <= most * (1 + PIXEL_TOLERANCE):
        raise ConfigurationError(
            f"pixels are {width_nm:.3g} nm wide; networks know {least:g} to {most:g} nm",
            where=f"geometry.pixel_size_nm, {configuration.run.folder}",
            remedy="Correct geometry.pixel_size_nm if it is wrong. Else train on annotated slices of this "
            "acquisition (`slicewatch train late-fusion --config`), which fits a network to their pixels.",
        )


def _check_size(configuration: Configuration, images: Image) -> None:
    height, width = images.shape[-2:]
    if min(height, width) < SMALLEST_PX:
        raise ConfigurationError(
            f"the faces are {height} × {width} px; a style is learned from {SMALLEST_PX} px a side or more",
            where=f"geometry.roi = {configuration.geometry.roi.model_dump()}",
            remedy="Choose a larger geometry.roi.",
        )


def _middle(images: Image) -> Image:
    """Of images (channel, y, x), at most LARGEST_PX a side."""
    top, left = (max(0, (side - LARGEST_PX) // 2) for side in images.shape[1:])
    return images[:, top : top + LARGEST_PX, left : left + LARGEST_PX]


def _mean_and_sigma(thicknesses_nm: list[float], target_nm: float) -> tuple[float, float]:
    """Of the measured ones; the target where there are none."""
    known = [one for one in thicknesses_nm if not isnan(one) and one > 0.0]
    mean_nm = float(np.mean(known)) if known else target_nm
    sigma_nm = float(np.std(known)) if known else 0.0
    return mean_nm, max(sigma_nm, LEAST_SIGMA * mean_nm)


def _too_few(configuration: Configuration, found: int, fewest: int) -> FolderError:
    names = ", ".join(configuration.channel_names)
    return FolderError(
        f"{found} whole slices with images of {names}; {fewest} are needed",
        where=str(configuration.run.folder),
        remedy="Wait until more are written, or correct [[channels]] and run.file_pattern: "
        "`slicewatch check` says what it finds.",
    )
