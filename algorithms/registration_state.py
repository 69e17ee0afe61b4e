"""What registration knows and says: the marks, its state between images, and its answer for one image."""

from dataclasses import dataclass
from typing import Literal

from algorithms.channel_offset import ChannelOffset
from algorithms.face_registration import FaceReference
from algorithms.maintained_reference import MaintainedReference
from algorithms.registration import SMALLEST_PX

Shift = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FiducialRegion:
    """A mark: its box in the first image and how far it may be from where it was last."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    search_px: int = 64
    surface: bool = False
    """On the unmilled top: the face recedes from it."""

    @property
    def origin(self) -> tuple[int, int]:
        return self.y_px, self.x_px

    @property
    def shape(self) -> tuple[int, int]:
        return self.height_px, self.width_px


@dataclass(frozen=True, slots=True)
class RegionReference:
    """What a channel shows of a mark, and where that picture lies in the frame."""

    channel: str
    region: int
    reference: MaintainedReference
    offset: ChannelOffset


@dataclass(frozen=True, slots=True)
class ChannelFace:
    channel: str
    reference: FaceReference


@dataclass(frozen=True, slots=True)
class RegistrationState:
    """All that registration remembers of a run; without images it has no frame yet."""

    regions: tuple[FiducialRegion, ...]
    channel_names: tuple[str, ...]
    reference_channel: str
    references: tuple[RegionReference, ...] = ()
    faces: tuple[ChannelFace, ...] = ()
    last_shift_px: Shift = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class FiducialShift:
    """What one mark says about the face's shift."""

    region: int
    dy_px: float
    dx_px: float
    sigma_px: float
    quality: float
    gain: float
    used: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """Shift of one image: add it to a coordinate of the image to get the coordinate in the frame."""

    dy_px: float
    dx_px: float
    sigma_px: float
    """Standard error of one component."""
    quality: float
    """0…1"""
    source: Literal["fiducial", "face"]
    lost: bool
    """Neither a mark nor the face was recognised; the shift is the last one known."""
    notes: tuple[str, ...] = ()
    fiducials: tuple[FiducialShift, ...] = ()


def start_registration(
    regions: tuple[FiducialRegion, ...], channel_names: tuple[str, ...], reference_channel: str
) -> RegistrationState:
    """The state before the first image.

    Raises
    ------
    ValueError
        If `reference_channel` is none of `channel_names` or a region is too small to be registered.
    """
    if reference_channel not in channel_names:
        raise ValueError(
            f"reference channel {reference_channel!r} is not among the channels {channel_names}: name one"
        )
    for number, region in enumerate(regions):
        if min(region.shape) < SMALLEST_PX:
            raise ValueError(
                f"fiducial {number} is {region.width_px}×{region.height_px} px: "
                f"draw it at least {SMALLEST_PX} px a side"
            )
    return RegistrationState(tuple(regions), tuple(channel_names), reference_channel)


def in_registration_order(channels: tuple[str, ...], reference_channel: str) -> tuple[str, ...]:
    """`channels` of one slice with the reference channel first."""
    return tuple(sorted(channels, key=lambda name: name != reference_channel))


def recession_of(region: FiducialRegion, recession_px: float) -> float:
    """What the face's recession adds to this mark's shift to give the face's."""
    return recession_px if region.surface else 0.0


def frame_reference(state: RegistrationState, region: int) -> RegionReference | None:
    """The reference of a mark in the channel whose first image defined the frame."""
    defining = state.faces[0].channel if state.faces else ""
    return next((r for r in state.references if r.region == region and r.channel == defining), None)
