"""Where each image of a run lies in the frame: absolute on fiducial marks, on the face where there is none.

The first image defines the frame (shift 0); the first image of every other channel is registered across onto
it (the contrast may be inverted there), and from then on each channel is registered against its own
maintained references, one per fiducial region, so that errors do not accumulate. Give the reference channel
first within a slice (`in_registration_order`); a slice without it is no harm.

The frame is that of the milled face. A mark on the unmilled top does not recede: relative to it the face
moves up by the recession r = depth · cos(tilt) (in image px), so face shift = surface mark's shift + (r, 0).

An image is registered by the marks that are recognised (`quality`) and agree with each other; a mark not
found within its search window is sought in the whole image; if none is left the face decides, and `source`
says so.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.correlation_peak import find_patch
from algorithms.face_registration import binned, face_shift, start_face, updated_face
from algorithms.maintained_reference import (
    aligned,
    as_reference,
    start_reference,
    updated_reference,
)
from algorithms.patch_fit import Reference
from algorithms.registration import ShiftEstimate, estimate_shift
from algorithms.registration_state import (
    ChannelFace,
    FiducialRegion,
    FiducialShift,
    RegionReference,
    Registration,
    RegistrationState,
    Shift,
    in_registration_order,
    start_registration,
)

__all__ = [
    "FiducialRegion",
    "FiducialShift",
    "Registration",
    "RegistrationState",
    "in_registration_order",
    "register_image",
    "start_registration",
]

RECOGNISED = 0.3
"""Quality from which a mark is believed; an eroded half of a mark still reaches 0.4."""
REACQUIRED = 0.5
"""The same for a mark found anywhere in the image: more places, more chances to be wrong."""
AGREEMENT_SIGMA = 5.0
AGREEMENT_PX = 0.3
"""Marks are said to agree within so many standard errors, or so many px: they deform."""
FACE_LOST = 0.15
SEARCH_TEMPLATE_PX = 48
"""Size to which a mark may be binned for the search over the whole image."""


def _recession(region: FiducialRegion, recession_px: float) -> float:
    return recession_px if region.surface else 0.0


@dataclass(frozen=True, slots=True)
class _Found:
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


def _find(
    state: RegistrationState, kept: RegionReference, channel: str, image: NDArray[Any], recession_px: float
) -> _Found:
    """The mark in its search window, or, if it is not recognised there, anywhere in the image."""
    region, reference = state.regions[kept.region], as_reference(kept.reference)
    recession, own = _recession(region, recession_px), kept.channel == channel
    expected = (state.last_shift_px[0] - recession - kept.reference.correction_px[0], state.last_shift_px[1])
    estimate = estimate_shift(
        reference, image, region.origin, expected=expected, search_px=region.search_px, any_polarity=not own
    )
    reacquired = False
    if estimate.quality < RECOGNISED:
        elsewhere, reach = _anywhere(reference, image, region.origin)
        wide = estimate_shift(
            reference, image, region.origin, expected=elsewhere, search_px=reach, any_polarity=not own
        )
        if wide.coherence * wide.trusted >= REACQUIRED and wide.quality > estimate.quality:
            estimate, reacquired = wide, True
    dy, dx = kept.reference.correction_px
    return _Found(
        kept.region, estimate, (dy + recession, dx, kept.reference.correction_sigma_px), own, reacquired
    )


def _agree(one: _Found, other: _Found) -> bool:
    distance = float(np.hypot(one.shift[0] - other.shift[0], one.shift[1] - other.shift[1]))
    return distance <= AGREEMENT_PX + AGREEMENT_SIGMA * float(np.hypot(one.sigma_px, other.sigma_px))


def _largest_agreement(found: list[_Found]) -> list[_Found]:
    """The marks that agree with one of them, for the one with the most agreement."""
    groups = [[other for other in found if _agree(one, other)] for one in found]
    return max(groups, key=lambda group: sum(f.estimate.quality for f in group), default=[])


def _combined(used: list[_Found]) -> tuple[Shift, float]:
    """Weighted mean shift and its standard error, widened by the marks' own disagreement."""
    weights = np.array([1.0 / f.sigma_px**2 for f in used])
    shifts = np.array([f.shift for f in used])
    mean = weights @ shifts / weights.sum()
    chi2 = float((weights[:, None] * (shifts - mean) ** 2).sum())
    freedom = 2 * (len(used) - 1)
    widening = max(1.0, chi2 / freedom) if freedom else 1.0
    return (float(mean[0]), float(mean[1])), float(np.sqrt(widening / weights.sum()))


def _by_marks(found: list[_Found], used: list[_Found]) -> Registration:
    shift, sigma = _combined(used)
    notes = [f"fiducial {f.region} sought in the whole image and found" for f in used if f.reacquired]
    for f in found:
        if f not in used:
            reason = "not recognised" if f.estimate.quality < RECOGNISED and not f.reacquired else "disagrees"
            notes.append(f"fiducial {f.region} {reason} (quality {f.estimate.quality:.2f}): left out")
    quality = float(np.mean([f.estimate.quality for f in used])) * (0.5 + 0.5 * len(used) / len(found))
    marks = tuple(
        FiducialShift(f.region, *f.shift, f.sigma_px, f.estimate.quality, f.estimate.gain, f in used)
        for f in found
    )
    return Registration(*shift, sigma, quality, "fiducial", False, tuple(notes), marks)


def _by_face(
    state: RegistrationState, channel: str, image: NDArray[Any], found: list[_Found]
) -> Registration:
    """The face's answer, or the last known shift with an error of the search window when that fails too."""
    order = {channel: 0, state.reference_channel: 1}
    face = min(state.faces, key=lambda f: order.get(f.channel, 2))
    shift = face_shift(face.reference, image)
    notes = [f"fiducial {f.region} not recognised (quality {f.estimate.quality:.2f})" for f in found]
    if shift.quality >= FACE_LOST:
        return Registration(
            shift.dy_px,
            shift.dx_px,
            shift.sigma_px,
            shift.quality,
            "face",
            False,
            (*notes, "registered on the face"),
        )
    reach = float(max([r.search_px for r in state.regions], default=max(image.shape) // 4))
    notes.append(f"face not recognised (quality {shift.quality:.2f}): last shift kept")
    return Registration(*state.last_shift_px, reach, shift.quality, "face", True, tuple(notes))


def _learn_marks(
    state: RegistrationState,
    channel: str,
    image: NDArray[Any],
    result: Registration,
    found: list[_Found],
    recession_px: float,
) -> RegistrationState:
    """References renewed from the marks that were used; new ones for a channel that has none."""
    by_region = {f.region: f for f, mark in zip(found, result.fiducials, strict=False) if mark.used and f.own}
    references = [
        replace(
            kept,
            reference=updated_reference(
                kept.reference, by_region[kept.region].estimate, image, state.regions[kept.region].origin
            ),
        )
        if kept.channel == channel and kept.region in by_region
        else kept
        for kept in state.references
    ]
    owned = {kept.region for kept in references if kept.channel == channel}
    for number, region in enumerate(state.regions):
        if number not in owned and result.source == "fiducial":
            shift = (result.dy_px - _recession(region, recession_px), result.dx_px)
            picture, valid = aligned(image, region.origin, region.shape, shift)
            if valid.mean() > 0.9:
                references.append(RegionReference(channel, number, start_reference(picture, result.sigma_px)))
    return replace(state, references=tuple(references))


def _learn_face(
    state: RegistrationState, channel: str, image: NDArray[Any], result: Registration
) -> RegistrationState:
    shift, independent = (result.dy_px, result.dx_px), result.source == "fiducial"
    faces = [
        replace(face, reference=updated_face(face.reference, image, shift, result.sigma_px, independent))
        if face.channel == channel
        else face
        for face in state.faces
    ]
    if all(face.channel != channel for face in faces):
        faces.append(ChannelFace(channel, start_face(image, shift, result.sigma_px)))
    return replace(state, faces=tuple(faces))


def _first(state: RegistrationState, channel: str) -> Registration:
    notes = ["defines the frame"]
    if channel != state.reference_channel:
        notes.append(f"provisional frame: {state.reference_channel} is missing from the first slice")
    return Registration(0.0, 0.0, 0.0, 1.0, "fiducial" if state.regions else "face", False, tuple(notes))


def register_image(
    state: RegistrationState, channel: str, image: NDArray[Any], expected_recession_px: float = 0.0
) -> tuple[RegistrationState, Registration]:
    """Register one image of a run.

    Parameters
    ----------
    state : RegistrationState
    channel : str
        One of the state's channel names.
    image : (h, w) uint8, uint16 or float32
    expected_recession_px : float
        How far the face has moved up in the image relative to marks on the surface, since the first slice.

    Returns
    -------
    (RegistrationState, Registration)

    Raises
    ------
    ValueError
        If the channel is unknown or a fiducial region lies outside the first image.
    """
    if channel not in state.channel_names:
        raise ValueError(
            f"channel {channel!r} is not one of {state.channel_names}: name it in the configuration"
        )
    found: list[_Found] = []
    if not state.faces:
        _check_regions(state, image)
        result = _first(state, channel)
    else:
        kept = [_reference_for(state, channel, number) for number in range(len(state.regions))]
        found = [_find(state, k, channel, image, expected_recession_px) for k in kept if k is not None]
        used = _largest_agreement([f for f in found if f.reacquired or f.estimate.quality >= RECOGNISED])
        result = _by_marks(found, used) if used else _by_face(state, channel, image, found)
    if result.lost:
        return state, result
    state = _learn_marks(state, channel, image, result, found, expected_recession_px)
    state = _learn_face(state, channel, image, result)
    return replace(state, last_shift_px=(result.dy_px, result.dx_px)), result


def _check_regions(state: RegistrationState, image: NDArray[Any]) -> None:
    for number, region in enumerate(state.regions):
        bottom, right = region.y_px + region.height_px, region.x_px + region.width_px
        if min(region.origin) < 0 or bottom > image.shape[0] or right > image.shape[1]:
            raise ValueError(
                f"fiducial {number} (x {region.x_px}…{right}, y {region.y_px}…{bottom}) leaves the image of "
                f"{image.shape[1]}×{image.shape[0]} px: move it inside"
            )
