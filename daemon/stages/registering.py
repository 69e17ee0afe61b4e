"""Registration of a slice: where each of its images lies in the frame of the first slice."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

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


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """The first images of a slice in registration order, registered from ``source``, and what follows."""

    source: RegistrationState
    recession_px: float
    frames: Mapping[str, Frame]
    state: RegistrationState
    shifts: Mapping[str, ChannelShift]

    def belongs_to(
        self,
        source: RegistrationState,
        recession_px: float,
        order: Sequence[str],
        frames: Mapping[str, Frame],
    ) -> bool:
        """Whether these images of a slice, to be registered in this order, begin with mine."""
        return (
            self.source is source
            and self.recession_px == recession_px
            and list(self.frames) == list(order[: len(self.frames)])
            and all(_is_same(frames[name], mine) for name, mine in self.frames.items())
        )


def register_first(
    state: RegistrationState, frames: Mapping[str, Frame], recession_px: float, begun: Begun | None
) -> Begun:
    """Register those images of a slice that none which is still to come is registered before.

    ``begun`` is what was done of them already, if anything.

    Raises
    ------
    ConfigurationError
        A fiducial lies outside the first image.
    """
    order = in_registration_order(state.channel_names, state.reference_channel)
    at_hand = list(takewhile(frames.__contains__, order))
    return _continued(state, {name: frames[name] for name in at_hand}, at_hand, recession_px, begun)


def register_slice(
    state: RegistrationState, slice_: Slice, recession_px: float, begun: Begun | None = None
) -> tuple[RegistrationState, RegisteredSlice]:
    """Register every channel, the reference first; ``recession_px`` since the first slice.

    Raises
    ------
    ConfigurationError
        A fiducial lies outside the first image.
    """
    order = in_registration_order(tuple(slice_.frames), state.reference_channel)
    done = _continued(state, slice_.frames, order, recession_px, begun)
    shifts = _in_order(done.shifts, state.channel_names)
    return done.state, RegisteredSlice(slice_.index, slice_.frames, shifts)


def _continued(
    source: RegistrationState,
    frames: Mapping[str, Frame],
    order: Sequence[str],
    recession_px: float,
    begun: Begun | None,
) -> Begun:
    if begun is None or not begun.belongs_to(source, recession_px, order, frames):
        begun = Begun(source, recession_px, {}, source, {})
    state, shifts = begun.state, dict(begun.shifts)
    for name in order[len(shifts) :]:
        state, shifts[name] = _registered(state, name, frames[name], recession_px)
    return Begun(source, recession_px, {name: frames[name] for name in order}, state, shifts)


def _is_same(one: Frame, other: Frame) -> bool:
    return (one.sha256, one.path) == (other.sha256, other.path)


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
