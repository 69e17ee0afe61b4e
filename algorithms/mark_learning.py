"""What registration learns of its marks from an image that it has registered.

A mark found by its own channel's reference improves that reference, and is compared with the frame's channel
once more (:mod:`algorithms.channel_offset`). A channel that has no reference of a mark gets one; a reference
that was begun with a poor image, and recognises the mark worse than the frame's channel does, is begun anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.channel_offset import ChannelOffset, compared, first_offset
from algorithms.fiducial_search import RECOGNISED, SURE, FoundMark
from algorithms.maintained_reference import (
    UPDATE_QUALITY,
    aligned,
    as_reference,
    has_structure,
    start_reference,
    updated_reference,
)
from algorithms.registration import ShiftEstimate, estimate_shift
from algorithms.registration_state import (
    FiducialRegion,
    RegionReference,
    Registration,
    RegistrationState,
    Shift,
    frame_reference,
    recession_of,
)

COMPARED_PX = 4
"""How far the frame's channel may disagree with the own one and still be taken for the same mark."""
BETTER = 0.1
"""By how much the frame's channel must recognise a mark better to replace a channel's own poor reference."""
COVERED = 0.9
"""Share of a region that must lie inside an image to begin a reference."""


@dataclass(frozen=True, slots=True)
class _Lesson:
    """One registered image, and how far the face has receded from marks on the surface."""

    channel: str
    image: NDArray[Any]
    recession_px: float

    def mark_shift(self, region: FiducialRegion, face_shift: Shift) -> Shift:
        """The mark's own shift where the face has this one."""
        return face_shift[0] - recession_of(region, self.recession_px), face_shift[1]


def learn_marks(
    state: RegistrationState,
    channel: str,
    image: NDArray[Any],
    result: Registration,
    found: list[FoundMark],
    recession_px: float,
) -> RegistrationState:
    """References renewed from the marks that were used; new ones for a channel that has none.

    ``image`` (h, w) was registered with this ``result``, from the marks ``found``.
    """
    lesson = _Lesson(channel, image, recession_px)
    used = {f.region: f for f, mark in zip(found, result.fiducials, strict=False) if mark.used}
    references = [
        _renewed(state, kept, used[kept.region], lesson)
        if kept.channel == channel and kept.region in used
        else kept
        for kept in state.references
    ]
    owned = {kept.region for kept in references if kept.channel == channel}
    missing = set(range(len(state.regions))) - owned if result.source == "fiducial" else set[int]()
    begun = [_begun(state, number, lesson, result) for number in sorted(missing)]
    return replace(state, references=(*references, *(new for new in begun if new is not None)))


def _renewed(
    state: RegistrationState, kept: RegionReference, found: FoundMark, lesson: _Lesson
) -> RegionReference:
    """A channel's own reference after one of its images: improved, compared, or begun anew."""
    if found.reacquired and found.estimate.quality < SURE:
        return kept
    region, frame = state.regions[kept.region], frame_reference(state, kept.region)
    if frame is None or frame.channel == kept.channel:
        return _improved(kept, found, lesson, region)
    across = _across(frame, lesson, region, found.shift) if found.own else found.estimate
    correction = frame.reference.correction_px
    shift = (across.dy_px + correction[0], across.dx_px + correction[1])
    own_quality = found.estimate.quality if found.own else 0.0
    if own_quality < UPDATE_QUALITY and across.quality > max(own_quality + BETTER, UPDATE_QUALITY):
        picture, covered = aligned(lesson.image, region.origin, region.shape, shift)
        anew = replace(kept, reference=start_reference(picture), offset=first_offset(across.sigma_px))
        return anew if covered.mean() > COVERED else kept
    if not found.own:
        return kept
    improved = _improved(kept, found, lesson, region)
    return _compared(improved, kept, found, shift, across) if across.quality >= RECOGNISED else improved


def _improved(
    kept: RegionReference, found: FoundMark, lesson: _Lesson, region: FiducialRegion
) -> RegionReference:
    renewed = updated_reference(kept.reference, found.estimate, lesson.image, region.origin)
    return replace(kept, reference=renewed)


def _compared(
    improved: RegionReference,
    kept: RegionReference,
    found: FoundMark,
    shift: Shift,
    across: ShiftEstimate,
) -> RegionReference:
    """One comparison more: the mark's ``shift`` by the frame's channel minus that by its own."""
    own = kept.reference.correction_px
    dy = shift[0] - found.estimate.dy_px - own[0]
    dx = shift[1] - found.estimate.dx_px - own[1]
    sigma = float(np.hypot(across.sigma_px, found.estimate.sigma_px))
    return replace(improved, offset=compared(kept.offset, dy, dx, sigma))


def _across(
    frame: RegionReference, lesson: _Lesson, region: FiducialRegion, face_shift: Shift
) -> ShiftEstimate:
    """The mark against the frame's channel, near the shift that its own channel gives."""
    (dy, dx), mark = frame.reference.correction_px, lesson.mark_shift(region, face_shift)
    return estimate_shift(
        as_reference(frame.reference),
        lesson.image,
        region.origin,
        expected=(mark[0] - dy, mark[1] - dx),
        search_px=COMPARED_PX,
        any_polarity=True,
    )


def _begun(
    state: RegistrationState, number: int, lesson: _Lesson, result: Registration
) -> RegionReference | None:
    """A first reference of a region; None while it shows nothing or too little of it lies in the image."""
    region = state.regions[number]
    shift = lesson.mark_shift(region, (result.dy_px, result.dx_px))
    picture, covered = aligned(lesson.image, region.origin, region.shape, shift)
    if covered.mean() <= COVERED or not has_structure(picture):
        return None
    offset = first_offset(result.sigma_px) if state.faces else ChannelOffset()
    return RegionReference(lesson.channel, number, start_reference(picture), offset)
