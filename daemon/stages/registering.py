"""Registration of a slice: where each of its images lies in the frame of the first slice."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import numpy as np

from algorithms.fiducials import (
    FiducialRegion,
    Registration,
    RegistrationState,
    in_registration_order,
    place_image,
    register_image,
    start_registration,
)
from algorithms.registration_state import recession_of
from daemon.config import Configuration
from daemon.errors import ConfigurationError
from daemon.items import ChannelShift, FoundFiducial, Frame, RegisteredSlice, Slice


def begin_registration(configuration: Configuration) -> RegistrationState:
    """The state before the first image."""
    regions = tuple(
        FiducialRegion(f.x, f.y, f.width, f.height, f.search_px, surface=f.on == "surface")
        for f in configuration.fiducials
    )
    return start_registration(regions, configuration.channel_names, configuration.reference_channel)


def has_surface_marks(state: RegistrationState) -> bool:
    """Whether the face's recession, and so its depth, matters to registration."""
    return any(region.surface for region in state.regions)


def register_slice(
    state: RegistrationState, slice_: Slice, recession_px: float
) -> tuple[RegistrationState, RegisteredSlice]:
    """Register every channel, the reference first; ``recession_px`` since the first slice.

    Raises
    ------
    ConfigurationError
        A fiducial lies outside the first image.
    """
    shifts: dict[str, ChannelShift] = {}
    for name in in_registration_order(tuple(slice_.frames), state.reference_channel):
        state, shifts[name] = _registered(state, name, slice_.frames[name], recession_px)
    return state, RegisteredSlice(slice_.index, slice_.frames, _in_order(shifts, state.channel_names))


def glance(state: RegistrationState, channel: str, frame: Frame, recession_px: float) -> ChannelShift:
    """The shift of one image before its slice is complete; nothing is learned from it."""
    with _correctable(frame):
        try:
            result = place_image(state, channel, frame.image, recession_px)
        except np.linalg.LinAlgError:
            return _lost(state)
    return _shift(result, frame.notes, _found(state, result, recession_px))


def _registered(
    state: RegistrationState, channel: str, frame: Frame, recession_px: float
) -> tuple[RegistrationState, ChannelShift]:
    with _correctable(frame):
        try:
            state, result = register_image(state, channel, frame.image, recession_px)
        except np.linalg.LinAlgError:
            return state, _lost(state)
    return state, _shift(result, frame.notes, _found(state, result, recession_px))


def _lost(state: RegistrationState) -> ChannelShift:
    """An image with hardly any structure (overexposed, covered) determines no shift: the last one stands."""
    return ChannelShift(*state.last_shift_px, math.inf, 0.0, "lost", ("nothing to register on",))


@contextmanager
def _correctable(frame: Frame) -> Generator[None]:
    """What registration does not accept is the configuration's fault."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(
            str(error), where=str(frame.path), remedy="Correct [[fiducials]]; positions are px."
        ) from error


def _shift(
    result: Registration, notes: tuple[str, ...], fiducials: tuple[FoundFiducial, ...]
) -> ChannelShift:
    source = "lost" if result.lost else result.source
    told = (*result.notes, *notes)
    return ChannelShift(result.dy_px, result.dx_px, result.sigma_px, result.quality, source, told, fiducials)


def _found(state: RegistrationState, result: Registration, recession_px: float) -> tuple[FoundFiducial, ...]:
    """Where the image shows its marks once it lies in the frame: a surface mark stays behind the face."""
    boxes: list[FoundFiducial] = []
    for mark in result.fiducials:
        region = state.regions[mark.region]
        y_px = region.y_px + result.dy_px - mark.dy_px + recession_of(region, recession_px)
        x_px = region.x_px + result.dx_px - mark.dx_px
        size = float(region.height_px), float(region.width_px)
        boxes.append(FoundFiducial(y_px, x_px, *size, mark.quality, mark.used))
    return tuple(boxes)


def _in_order(shifts: Mapping[str, ChannelShift], names: tuple[str, ...]) -> dict[str, ChannelShift]:
    return {name: shifts[name] for name in names if name in shifts}
