"""Thickness of a slice: the ruler's depth of its face against the depth of the face before.

Depths are absolute, so errors do not accumulate. Where the ruler cannot be read, or there is none, the best
other source stands in, and every record says which; the next readable face brings the true depth back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from algorithms.face_patch import face_patch
from algorithms.ruler import DepthReading, RulerState, advance, combine_readings, read_depth, start_ruler
from algorithms.ruler_marks import RulerMark
from algorithms.ruler_rejoin import rejoin
from algorithms.similarity import SimilarityState, add_face, start_similarity
from algorithms.taper import HalfDepths, read_halves, taper
from algorithms.thickness import (
    Estimate,
    ThicknessState,
    join_ruler,
    measure_thickness,
    start_thickness,
)
from daemon.config import Configuration, RulerSection
from daemon.geometry import FaceGeometry
from daemon.items import ChannelShift, FoundMark, Frame, RegisteredSlice, Thickness, ThicknessSource


@dataclass(frozen=True, slots=True)
class MeasuringState:
    """What thickness needs of the past; ``last_index`` is the last complete slice, None before the first.

    ``halves`` are those of that slice, None where they could not be read.
    """

    ruler: RulerState | None
    thickness: ThicknessState
    similarity: SimilarityState
    last_index: int | None = None
    halves: HalfDepths | None = None


def begin_measuring(configuration: Configuration, geometry: FaceGeometry) -> MeasuringState:
    """The state before the first slice."""
    section = configuration.ruler
    target_nm = configuration.geometry.target_thickness_nm
    ruler = None if section is None else _ruler(section, geometry.pixel_x_nm, target_nm)
    return MeasuringState(ruler, start_thickness(target_nm), start_similarity(target_nm))


def expected_depth(state: MeasuringState, index: int) -> float:
    """Where the face of slice ``index`` should lie, nm below the first face."""
    if state.last_index is None:
        return 0.0
    return state.thickness.depth_nm + (index - state.last_index) * state.thickness.target_nm


def measure(
    state: MeasuringState, configuration: Configuration, registered: RegisteredSlice, asv_nm: float
) -> tuple[MeasuringState, Thickness]:
    """The depth and thickness of a complete slice, from all its images together.

    ``asv_nm`` is the acquisition software's own thickness, NaN where it gives none.
    """
    similarity, similar = _compare(state, configuration, registered)
    state = replace(state, similarity=similarity)
    reading = _read(state, registered.frames, registered.shifts, registered.index)
    others = tuple(
        estimate for estimate in (Estimate("asv", asv_nm), similar) if not math.isnan(estimate.thickness_nm)
    )
    thickness, item = _thickness(state, registered.index, reading, tuple(registered.frames), others)
    item = replace(item, asv_nm=asv_nm, similarity_nm=similar.thickness_nm)
    halves = _halves(state, configuration.reference_channel, registered)
    if halves is not None and state.halves is not None and _follows(state, registered.index):
        taper_nm, sigma_nm = taper(state.halves, halves)
        item = replace(item, taper_nm=taper_nm, taper_sigma_nm=sigma_nm)
    if reading is not None and state.ruler is not None:
        ruler, thickness, notes = _remembered(state.ruler, thickness, reading)
        state, item = replace(state, ruler=ruler), replace(item, notes=(*item.notes, *notes))
    state = replace(state, thickness=thickness, last_index=registered.index, halves=halves)
    return state, item


def _remembered(
    ruler: RulerState, thickness: ThicknessState, reading: DepthReading
) -> tuple[RulerState, ThicknessState, tuple[str, ...]]:
    """The ruler after a finished slice; new marks that are alone take over at the depth carried to it."""
    depth_nm = thickness.depth_nm - thickness.offset_nm
    joined = rejoin(ruler, reading, depth_nm, thickness.depth_sigma_nm)
    if joined is None:
        return advance(ruler, reading), thickness, ()
    note = "new marks take over at a depth that was carried, not measured"
    return joined, join_ruler(thickness), (note,)


def first_look(
    state: MeasuringState, index: int, channel: str, frame: Frame, shift: ChannelShift
) -> Thickness | None:
    """The verdict of a slice's first image, minutes before the others; None without a readable ruler."""
    reading = _read(state, {channel: frame}, {channel: shift}, index)
    if reading is None or not reading.readable:
        return None
    return _thickness(state, index, reading, (channel,), ())[1]


def _ruler(section: RulerSection, pixel_nm: float, target_nm: float) -> RulerState:
    angle_deg, width_nm = section.angle_deg, section.mark_width_nm
    marks = tuple(  # float: so a state read from the journal says the very same of its marks
        RulerMark(
            m.kind, m.x, float(m.y), float(m.height), m.direction, angle_deg, width_nm,
            m.begins_nm, m.ends_nm or math.inf,
        )
        for m in section.marks
    )  # fmt: skip
    polarity = 1 if section.polarity == "bright" else -1
    return start_ruler(marks, pixel_nm, polarity=polarity, target_thickness_nm=target_nm)


def _compare(
    state: MeasuringState, configuration: Configuration, registered: RegisteredSlice
) -> tuple[SimilarityState, Estimate]:
    """The thickness that the likeness to the faces before tells, NaN while it tells none.

    Across a gap, or without a registered face, comparing begins anew with what is known of the sample.
    """
    name, roi = configuration.reference_channel, configuration.geometry.roi
    shift = registered.shifts[name]
    known = (
        state.similarity
        if _follows(state, registered.index)
        else replace(state.similarity, faces=(), depths_nm=())
    )
    if shift.source == "lost":
        return replace(known, faces=(), depths_nm=()), Estimate("similarity", math.nan)
    region = _part(roi.y, roi.height), _part(roi.x, roi.width)
    patch = face_patch(registered.frames[name].image, (shift.dy_px, shift.dx_px), region)
    compared, found = add_face(known, patch)
    return compared, Estimate("similarity", found.thickness_nm, found.sigma_nm)


def _follows(state: MeasuringState, index: int) -> bool:
    """Whether no slice is missing before this one."""
    return state.last_index is None or index == state.last_index + 1


def _halves(state: MeasuringState, channel: str, registered: RegisteredSlice) -> HalfDepths | None:
    """Upper and lower half of the ruler in the reference channel, once that channel's ruler is learned."""
    ruler, frame = state.ruler, registered.frames.get(channel)
    if ruler is None or frame is None or channel not in ruler.channels:
        return None
    shift = registered.shifts[channel]
    expected_nm = expected_depth(state, registered.index) - state.thickness.offset_nm
    return read_halves(ruler, frame.image, channel, (shift.dy_px, shift.dx_px), expected_nm)


def _part(start: int, length: int) -> slice:
    """A side of the region of interest; a length of 0 means to the edge."""
    return slice(start, start + length if length else None)


def _read(
    state: MeasuringState, frames: Mapping[str, Frame], shifts: Mapping[str, ChannelShift], index: int
) -> DepthReading | None:
    ruler = state.ruler
    if ruler is None:
        return None
    expected_nm = expected_depth(state, index) - state.thickness.offset_nm
    readings = tuple(
        read_depth(ruler, frame.image, name, (shifts[name].dy_px, shifts[name].dx_px), expected_nm)
        for name, frame in frames.items()
    )
    return readings[0] if len(readings) == 1 else combine_readings(ruler, readings)


def _thickness(
    state: MeasuringState,
    index: int,
    reading: DepthReading | None,
    channels: tuple[str, ...],
    others: tuple[Estimate, ...],
) -> tuple[ThicknessState, Thickness]:
    apart = 1 if state.last_index is None else index - state.last_index
    after, found = measure_thickness(state.thickness, reading, others, apart)
    item = Thickness(
        index,
        found.depth_nm,
        found.depth_sigma_nm,
        found.thickness_nm,
        found.thickness_sigma_nm,
        ThicknessSource(found.source),
        channels,
        notes=found.notes + (reading.notes if reading else ()),
        marks=_marks(state.ruler, reading) if state.ruler and reading else (),
        mean_of_slices=found.mean_of_slices,
    )
    return after, item


def _marks(ruler: RulerState, reading: DepthReading) -> tuple[FoundMark, ...]:
    """Every bar that was found, in px of the frame."""
    found: list[FoundMark] = []
    for image in reading.images:
        for fit in image.marks:
            mark = ruler.marks[fit.mark]
            is_used = (image.channel, fit.mark) in reading.used
            x_px = fit.x_px + image.shift[1]
            place = (x_px, fit.sigma_px, mark.y_px, mark.height_px, fit.width_px)
            if math.isfinite(x_px):
                found.append(FoundMark(image.channel, mark.kind, *place, is_used))
    return tuple(found)
