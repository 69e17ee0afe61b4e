"""Everything a run must remember between two slices, as values that the journal stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from algorithms.fiducials import RegistrationState
from daemon.config import Configuration
from daemon.errors import ConfigurationError
from daemon.geometry import FaceGeometry, face_geometry
from daemon.items import ChannelShift, DomainStanding, Frame, Slice
from daemon.stages.growing import GrowthState, start_growth
from daemon.stages.inspecting import InspectingState, begin_inspecting
from daemon.stages.judging import JudgingState, begin_judging
from daemon.stages.measuring import MeasuringState, begin_measuring
from daemon.stages.recognising import RecognisingState
from daemon.stages.registering import begin_registration
from daemon.stages.segmenting import cropped


@dataclass(frozen=True, slots=True)
class OpenFace:
    """A face whose segmentation is not final: where it lies, how its images were registered, and how far
    they are from those that the network knows."""

    index: int
    depth_nm: float
    shifts: Mapping[str, ChannelShift]
    domain: Mapping[str, DomainStanding]


@dataclass(frozen=True, slots=True)
class PipelineState:
    """The states of all stages after a slice; there is none before the first.

    ``open_faces`` wait for the faces behind them, ``window`` are the indices of the faces whose images the
    network may still look at, ``faces_done`` counts final faces.
    """

    geometry: FaceGeometry
    registration: RegistrationState
    measuring: MeasuringState
    judging: JudgingState
    inspecting: InspectingState
    recognising: RecognisingState
    growth: GrowthState
    window: tuple[int, ...] = ()
    open_faces: tuple[OpenFace, ...] = ()
    faces_done: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How much has happened: complete slices, gaps, alarms."""

    slices: int = 0
    gaps: int = 0
    alarms: int = 0


def begin_pipeline(configuration: Configuration, first: Slice) -> PipelineState:
    """The states before the first slice, from its geometry.

    Raises
    ------
    ConfigurationError
        The region of interest or a ruler mark leaves the image, or the pixel size is not known.
    """
    reference = first.frames[configuration.reference_channel]
    geometry = face_geometry(configuration, reference)
    roi = configuration.geometry.roi
    height, width = reference.image.shape
    if roi.y + roi.height > height or roi.x + roi.width > width or roi.y >= height or roi.x >= width:
        raise ConfigurationError(
            f"the region of interest leaves the image of {width} × {height} px",
            where=f"geometry.roi = {roi.model_dump()}, {reference.path}",
            remedy="Choose a region inside the image; width or height 0 means to its edge.",
        )
    _require_marks_inside(configuration, reference)
    region = cropped(reference.image, roi)
    return PipelineState(
        geometry,
        begin_registration(configuration),
        begin_measuring(configuration, geometry),
        begin_judging(configuration.drift),
        begin_inspecting(),
        RecognisingState(),
        start_growth(
            (region.shape[0], region.shape[1]),
            geometry.pixels,
            configuration.volume,
            configuration.geometry.target_thickness_nm,
        ),
    )


def _require_marks_inside(configuration: Configuration, reference: Frame) -> None:
    """A mark that the first image cannot show would leave thickness unreadable, or badly read, for ever."""
    height, width = reference.image.shape
    marks = () if configuration.ruler is None else configuration.ruler.marks
    outside = [n for n, mark in enumerate(marks, 1) if mark.x >= width or mark.y + mark.height > height]
    if outside:
        raise ConfigurationError(
            f"ruler mark {', '.join(map(str, outside))} leaves the image of {width} × {height} px",
            where=str(reference.path),
            remedy="Correct x, y and height of [[ruler.marks]]: px of the first slice; calibrate finds them.",
        )
