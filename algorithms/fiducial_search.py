"""Find the marks of a run in an image, and tell those that are to be believed."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.channel_offset import offset_px
from algorithms.correlation_peak import find_patch
from algorithms.face_registration import binned
from algorithms.maintained_reference import as_reference
from algorithms.patch_fit import Reference
from algorithms.registration import ShiftEstimate, estimate_shift
from algorithms.registration_state import (
    RegionReference,
    RegistrationState,
    Shift,
    frame_reference,
    recession_of,
)

RECOGNISED = 0.3
"""Quality from which a mark is believed; an eroded half of a mark still reaches 0.4."""
REACQUIRED = 0.5
"""The same for a mark found anywhere in the image: more places, more chances to be wrong."""
SURE = 0.8
"""The same for one that nothing else confirms, and for learning from it: where a mark has left the image,
something else in it has reached 0.66."""
AGREEMENT_SIGMA = 5.0
AGREEMENT_PX = 0.3
"""Marks are said to agree within so many standard errors, or so many px: they deform."""
CONTRAST_CHANGE = 3.0
"""Factor by which a mark's contrast may differ from its reference in the same channel."""
CERTAIN = 0.6
"""Quality from which a mark need not be looked for elsewhere."""
WIDER = 4
ELSEWHERE = 0.3
"""By how much a mark must look better elsewhere to be believed there."""
SEARCH_TEMPLATE_PX = 48
"""Size to which a mark may be binned for the search over the whole image."""


@dataclass(frozen=True, slots=True)
class FoundMark:
    """A mark found in an image; `own`: against this channel's own reference."""

    region: int
    estimate: ShiftEstimate
    correction: tuple[float, float, float]
    """(dy, dx, sigma) from the reference to the face's frame."""
    own: bool
    reacquired: bool

    @property
    def shift(self) -> Shift:
        return self.estimate.dy_px + self.correction[0], self.estimate.dx_px + self.correction[1]

    @property
    def sigma_px(self) -> float:
        return float(np.hypot(self.estimate.sigma_px, self.correction[2]))


def _reference_for(state: RegistrationState, channel: str, region: int) -> RegionReference | None:
    """This channel's own reference of a region, else the reference channel's, else any other's."""
    kept = [r for r in state.references if r.region == region]
    order = {channel: 0, state.reference_channel: 1}
    return min(kept, key=lambda r: order.get(r.channel, 2), default=None)


def _anywhere(reference: Reference, image: NDArray[Any], origin: tuple[int, int]) -> tuple[Shift, int]:
    """Shift of a mark sought in the whole image, and how exactly it is known, px."""
    step = max(1, min(reference.picture.shape) // SEARCH_TEMPLATE_PX)
    patch, window = binned(reference.picture, step), binned(image, step)
    pad = [(n // 2, n // 2) for n in patch.shape]
    peak = find_patch(np.pad(window, pad, mode="reflect"), patch, any_polarity=True)
    row, column = (peak.row_px - pad[0][0]) * step, (peak.column_px - pad[1][0]) * step
    return (origin[0] - row, origin[1] - column), 2 * step + 2


def _in_window(
    state: RegistrationState,
    kept: RegionReference,
    channel: str,
    image: NDArray[Any],
    recession_px: float,
    widen: int,
) -> FoundMark:
    """The mark in `widen` times its search window around where it was last."""
    region, recession = state.regions[kept.region], recession_of(state.regions[kept.region], recession_px)
    (dy, dx, sigma), own = _correction(kept), kept.channel == channel
    estimate = estimate_shift(
        as_reference(kept.reference),
        image,
        region.origin,
        expected=(state.last_shift_px[0] - recession - dy, state.last_shift_px[1] - dx),
        search_px=region.search_px * widen,
        any_polarity=not own,
    )
    return FoundMark(kept.region, estimate, (dy + recession, dx, sigma), own, widen > 1)


def _correction(kept: RegionReference) -> tuple[float, float, float]:
    """(dy, dx, sigma) from the reference's picture to the frame: onto its anchor, and its offset."""
    (dy, dx), (offset_y, offset_x, sigma) = kept.reference.correction_px, offset_px(kept.offset)
    return dy + offset_y, dx + offset_x, sigma


def _own_or_frame(
    state: RegistrationState, kept: RegionReference, channel: str, image: NDArray[Any], recession_px: float
) -> FoundMark:
    """The mark in its window; by the frame's channel where the own reference, perhaps a poor one, fails."""
    found = _in_window(state, kept, channel, image, recession_px, 1)
    frame = frame_reference(state, kept.region)
    if believable(found) or frame is None or frame is kept:
        return found
    return _in_window(state, frame, channel, image, recession_px, 1)


def _in_image(
    state: RegistrationState, kept: RegionReference, image: NDArray[Any], missed: FoundMark
) -> FoundMark:
    """The mark wherever it is in the image."""
    region, reference = state.regions[kept.region], as_reference(kept.reference)
    expected, reach = _anywhere(reference, image, region.origin)
    estimate = estimate_shift(
        reference, image, region.origin, expected=expected, search_px=reach, any_polarity=not missed.own
    )
    return replace(missed, estimate=estimate, reacquired=True)


def believable(found: FoundMark) -> bool:
    """Recognised, with a contrast that this channel's mark may have."""
    contrast = abs(np.log(max(abs(found.estimate.gain), 1e-6))) if found.own else 0.0
    quality = REACQUIRED if found.reacquired else RECOGNISED
    return found.estimate.quality >= quality and contrast < np.log(CONTRAST_CHANGE)


def find_marks(
    state: RegistrationState, channel: str, image: NDArray[Any], recession_px: float
) -> list[FoundMark]:
    """Every mark: in its window; if none is there for certain, in a wider one; and then in the whole image.

    A mark in its place is better than a slightly better one elsewhere: marks are often alike.
    """
    every = [_reference_for(state, channel, number) for number in range(len(state.regions))]
    kept = [reference for reference in every if reference is not None]
    attempts = [[_own_or_frame(state, k, channel, image, recession_px) for k in kept]]
    if _any_certain(attempts[-1]):
        return attempts[-1]
    attempts.append([_in_window(state, k, channel, image, recession_px, WIDER) for k in kept])
    if _any_certain(attempts[-1]):
        return attempts[-1]
    attempts.append(
        [_in_image(state, k, image, missed) for k, missed in zip(kept, attempts[-1], strict=True)]
    )
    return max(attempts, key=_support)


def _any_certain(found: list[FoundMark]) -> bool:
    return any(believable(f) and f.estimate.quality >= CERTAIN for f in found)


def _support(found: list[FoundMark]) -> float:
    """How much speaks for an attempt: the summed quality of the marks that agree, less if sought far away."""
    agreeing = largest_agreement(found)
    return sum(f.estimate.quality - (ELSEWHERE if f.reacquired else 0.0) for f in agreeing)


def _agree(one: FoundMark, other: FoundMark) -> bool:
    distance = float(np.hypot(one.shift[0] - other.shift[0], one.shift[1] - other.shift[1]))
    return distance <= AGREEMENT_PX + AGREEMENT_SIGMA * float(np.hypot(one.sigma_px, other.sigma_px))


def largest_agreement(found: list[FoundMark]) -> list[FoundMark]:
    """The believable marks that agree with one of them, for the one with the most agreement."""
    believed = [f for f in found if believable(f)]
    groups = [[other for other in believed if _agree(one, other)] for one in believed]
    return max(groups, key=lambda group: sum(f.estimate.quality for f in group), default=[])
