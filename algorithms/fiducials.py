"""Where each image of a run lies in the frame: absolute on fiducial marks, on the face where there is none.

The first image defines the frame (shift 0); the first image of every other channel is registered across onto
it (the contrast may be inverted there), and from then on each channel is registered against its own
maintained references, one per fiducial region, so that errors do not accumulate; where they lie in the frame
is measured anew with every slice (`channel_offset`). Give the reference channel first within a slice
(`in_registration_order`); a slice without it is no harm.

The frame is that of the milled face. A mark on the unmilled top does not recede: relative to it the face
moves up by the recession r = depth · cos(tilt) (in image px), so face shift = surface mark's shift + (r, 0).

An image is registered by the marks that are recognised (`quality`) and agree with each other; a mark not
found within its search window is sought in the whole image, where a second mark or the face must confirm
it, or, without a face to ask, it must be found for sure; if none is left the face decides, and `source`
says so.
"""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from algorithms.face_registration import FaceShift, face_shift, start_face, updated_face
from algorithms.fiducial_search import (
    AGREEMENT_SIGMA,
    SURE,
    FoundMark,
    believable,
    find_marks,
    largest_agreement,
)
from algorithms.maintained_reference import has_structure
from algorithms.mark_learning import learn_marks
from algorithms.registration_state import (
    ChannelFace,
    FiducialRegion,
    FiducialShift,
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
    "place_image",
    "register_image",
    "start_registration",
]

FACE_LOST = 0.15
"""Quality below which the face is not recognised: unlike faces reach half of it."""
CONFIRMED_PX = 4.0
"""How far, beyond their errors, the face may be from a mark that it confirms: it changes with every slice."""


def _combined(used: list[FoundMark]) -> tuple[Shift, float]:
    """Weighted mean shift and its standard error, widened by the marks' own disagreement."""
    weights = np.array([1.0 / f.sigma_px**2 for f in used])
    shifts = np.array([f.shift for f in used])
    mean = weights @ shifts / weights.sum()
    chi2 = float((weights[:, None] * (shifts - mean) ** 2).sum())
    freedom = 2 * (len(used) - 1)
    widening = max(1.0, chi2 / freedom) if freedom else 1.0
    return (float(mean[0]), float(mean[1])), float(np.sqrt(widening / weights.sum()))


def _by_marks(found: list[FoundMark], used: list[FoundMark]) -> Registration:
    shift, sigma = _combined(used)
    notes = [f"fiducial {f.region} found beyond its search window" for f in used if f.reacquired]
    for f in found:
        if f not in used:
            reason = "disagrees" if believable(f) else "not recognised"
            notes.append(f"fiducial {f.region} {reason} (quality {f.estimate.quality:.2f}): left out")
    quality = float(np.mean([f.estimate.quality for f in used])) * (0.5 + 0.5 * len(used) / len(found))
    return Registration(*shift, sigma, quality, "fiducial", False, tuple(notes), _told(found, used))


def _told(found: list[FoundMark], used: list[FoundMark]) -> tuple[FiducialShift, ...]:
    return tuple(
        FiducialShift(f.region, *f.shift, f.sigma_px, f.estimate.quality, f.estimate.gain, f in used)
        for f in found
    )


def _face_shift(state: RegistrationState, channel: str, image: NDArray[Any]) -> FaceShift:
    """Against the channel's own face, else the reference channel's, else any other's."""
    order = {channel: 0, state.reference_channel: 1}
    face = min(state.faces, key=lambda f: order.get(f.channel, 2))
    return face_shift(face.reference, image)


def _confirmed(
    state: RegistrationState, channel: str, image: NDArray[Any], used: list[FoundMark]
) -> list[FoundMark]:
    """The marks, but not a lone one found far away where the face says otherwise; without a face to ask, one
    must be found for sure."""
    if len(used) != 1 or not used[0].reacquired:
        return used
    face, (mark,) = _face_shift(state, channel, image), used
    apart = float(np.hypot(mark.shift[0] - face.dy_px, mark.shift[1] - face.dx_px))
    reach = CONFIRMED_PX + AGREEMENT_SIGMA * float(np.hypot(mark.sigma_px, face.sigma_px))
    agrees = apart <= reach if face.quality >= FACE_LOST else mark.estimate.quality >= SURE
    return used if agrees else []


def _by_face(
    state: RegistrationState, channel: str, image: NDArray[Any], found: list[FoundMark]
) -> Registration:
    """The face's answer, or the last known shift with an error of the search window when that fails too."""
    shift = _face_shift(state, channel, image)
    notes = [
        f"fiducial {f.region} {'not confirmed' if believable(f) else 'not recognised'} "
        f"(quality {f.estimate.quality:.2f})"
        for f in found
    ]
    if shift.quality >= FACE_LOST:
        return Registration(
            shift.dy_px,
            shift.dx_px,
            shift.sigma_px,
            shift.quality,
            "face",
            False,
            (*notes, "registered on the face"),
            _told(found, []),
        )
    reach = float(max([r.search_px for r in state.regions], default=max(image.shape) // 4))
    notes.append(f"face not recognised (quality {shift.quality:.2f}): last shift kept")
    return Registration(*state.last_shift_px, reach, shift.quality, "face", True, tuple(notes))


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


def _first(state: RegistrationState, channel: str, image: NDArray[Any]) -> Registration:
    """The image that defines the frame; one without any structure leaves that to the next."""
    source: Literal["fiducial", "face"] = "fiducial" if state.regions else "face"
    parts = [image[r.y_px : r.y_px + r.height_px, r.x_px : r.x_px + r.width_px] for r in state.regions]
    if not any(has_structure(part.astype(np.float32)) for part in parts or [image]):
        empty = f"the {source} shows nothing: the next image defines the frame"
        return Registration(0.0, 0.0, float(max(image.shape)), 0.0, source, True, (empty,))
    notes = ["defines the frame"]
    if channel != state.reference_channel:
        notes.append(f"provisional frame: {state.reference_channel} is missing from the first slice")
    return Registration(0.0, 0.0, 0.0, 1.0, source, False, tuple(notes))


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
        If the channel is unknown, a fiducial region lies outside the first image, or the image is of another
        size than those before it.
    """
    result, found = _placed(state, channel, image, expected_recession_px)
    if result.lost:
        return state, result
    state = learn_marks(state, channel, image, result, found, expected_recession_px)
    state = _learn_face(state, channel, image, result)
    return replace(state, last_shift_px=(result.dy_px, result.dx_px)), result


def place_image(
    state: RegistrationState, channel: str, image: NDArray[Any], expected_recession_px: float = 0.0
) -> Registration:
    """As :func:`register_image`, but nothing is learned from the image: that is half of the time."""
    return _placed(state, channel, image, expected_recession_px)[0]


def _placed(
    state: RegistrationState, channel: str, image: NDArray[Any], recession_px: float
) -> tuple[Registration, list[FoundMark]]:
    """Where an image lies, and the marks that were looked at."""
    _check_channel(state, channel)
    if not state.faces:
        _check_regions(state, image)
        return _first(state, channel, image), []
    _check_size(state, image)
    found = find_marks(state, channel, image, recession_px)
    used = _confirmed(state, channel, image, largest_agreement(found))
    return _by_marks(found, used) if used else _by_face(state, channel, image, found), found


def _check_channel(state: RegistrationState, channel: str) -> None:
    if channel not in state.channel_names:
        raise ValueError(
            f"channel {channel!r} is not one of {state.channel_names}: name it in the configuration"
        )


def _check_regions(state: RegistrationState, image: NDArray[Any]) -> None:
    for number, region in enumerate(state.regions):
        bottom, right = region.y_px + region.height_px, region.x_px + region.width_px
        if min(region.origin) < 0 or bottom > image.shape[0] or right > image.shape[1]:
            raise ValueError(
                f"fiducial {number} (x {region.x_px}…{right}, y {region.y_px}…{bottom}) leaves the image of "
                f"{image.shape[1]}×{image.shape[0]} px: move it inside"
            )


def _check_size(state: RegistrationState, image: NDArray[Any]) -> None:
    known = state.faces[0].reference
    if tuple(n // known.binning for n in image.shape) != known.picture.shape:
        h, w = (n * known.binning for n in known.picture.shape)
        raise ValueError(
            f"an image of {image.shape[1]}×{image.shape[0]} px follows images of about {w}×{h} px: "
            "leave the scanned area as it is during a run"
        )
