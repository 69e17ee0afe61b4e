"""What the ruler remembers from slice to slice, and how a finished slice adds to it.

The zeros of the marks (:mod:`algorithms.ruler_solution`), the magnification, what was seen of the curtains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_marks import RulerMark
from algorithms.ruler_slice import ImageMarks, ImageShift, Positions, Zeros, common_curtains, stack_positions
from algorithms.ruler_solution import design_matrix, determines_depth, learn_zeros
from algorithms.stripe_noise import EVIDENCE_SHAPE

Array: TypeAlias = NDArray[np.float64]

_UNSEEN_PX = 50.0  # a configured position says this little about where a mark exactly is
_MAGNIFICATION_STEP = 2e-5  # what a SEM's magnification wanders from slice to slice …
_MAGNIFICATION_LIMIT = 1e-4  # … and the most that is believed of it when nothing measures it
_UNKNOWNS = 3  # of an image: shift, depth, magnification
_KEPT = 0.9  # of the evidence about curtains, from slice to slice


@dataclass(frozen=True, slots=True)
class RulerState:
    """What is known after some slices. ``zero_px`` (c·m,) and its covariance: channel after channel.

    ``depth_variance`` nm² is that of the last depth, ``depth_zeros`` (c·m,) nm·px its error's covariance with
    those of the zeros. ``suspected`` (c,) are the magnifications that the last slice made likely, NaN where
    it did not; ``disagreed`` is in how many slices running the marks disagreed.
    """

    marks: tuple[RulerMark, ...]
    pixel_size_nm: float
    polarity: int
    target_thickness_nm: float
    search_px: float
    channels: tuple[str, ...]
    zero_px: Array
    zero_covariance: Array
    magnification: Array
    magnification_sigma: Array
    stripes: Array
    curtain_covariance: float
    curtain_power: float
    depth_nm: float
    depth_variance: float
    depth_zeros: Array
    slices: int
    missed: int
    chi2_sum: float
    dof_sum: float
    suspected: Array
    disagreed: int


def start_ruler(
    marks: tuple[RulerMark, ...],
    pixel_size_nm: float,
    *,
    polarity: int = 1,
    target_thickness_nm: float = 10.0,
    search_px: float = 12.0,
) -> RulerState:
    """A ruler that has seen nothing yet.

    ``polarity`` +1 for bright marks, -1 for dark ones; ``search_px`` is how wrong an image's x shift may be.
    Raises ValueError when the marks cannot tell depth from shift, or a length is no length.
    """
    _check_lengths(pixel_size_nm, target_thickness_nm, search_px)
    slopes = np.array([mark.slope for mark in marks])
    if not determines_depth(np.zeros(len(marks), dtype=np.intp), slopes):
        raise ValueError(
            "the ruler's marks all move alike with depth, so shift and depth cannot be told apart: "
            "configure at least one parallel and one inclined mark with an angle above 0"
        )
    nothing = np.empty(0)
    return RulerState(
        marks, pixel_size_nm, polarity, target_thickness_nm, search_px,
        channels=(), zero_px=nothing, zero_covariance=np.empty((0, 0)),
        magnification=nothing, magnification_sigma=nothing, stripes=np.empty((0, *EVIDENCE_SHAPE)),
        curtain_covariance=0.0, curtain_power=0.0, depth_nm=0.0, depth_variance=0.0, depth_zeros=nothing,
        slices=0, missed=0, chi2_sum=0.0, dof_sum=0.0, suspected=nothing, disagreed=0,
    )  # fmt: skip


def _check_lengths(pixel_size_nm: float, target_nm: float, search_px: float) -> None:
    if not 0.0 < pixel_size_nm < float("inf"):
        raise ValueError(f"the ruler's pixel size is {pixel_size_nm} nm: give geometry.pixel_size_nm above 0")
    if not 0.0 < target_nm < float("inf"):
        raise ValueError(f"geometry.target_thickness_nm is {target_nm}: give the thickness asked for, in nm")
    if not 0.0 <= search_px < float("inf"):
        raise ValueError(f"the ruler is searched within {search_px} px: give 0 px or more")


def expected_depth_nm(state: RulerState) -> float:
    """Where the next face should lie: the last depth plus one target thickness per slice since."""
    return state.depth_nm + (state.missed + 1) * state.target_thickness_nm if state.slices else 0.0


def channel_zeros(state: RulerState, channel: str) -> Array:
    """Where the marks (m,) stand at depth 0: learned, or as configured for a channel not seen yet."""
    if channel not in state.channels:
        return configured_zeros(state)
    first = state.channels.index(channel) * len(state.marks)
    return state.zero_px[first : first + len(state.marks)]


def configured_zeros(state: RulerState) -> Array:
    """Where the marks (m,) stand at depth 0 by the configuration; one that begins deeper is traced back."""
    return np.array([mark.x_px - mark.slope * mark.begins_nm / state.pixel_size_nm for mark in state.marks])


def learned_marks(state: RulerState, channel: str) -> NDArray[np.bool_]:
    """Which marks (m,) of a channel have been seen by the side of others, so that they tell a depth."""
    if channel not in state.channels:
        return np.zeros(len(state.marks), dtype=bool)
    first = state.channels.index(channel) * len(state.marks)
    variance = np.diag(state.zero_covariance)[first : first + len(state.marks)]
    return np.asarray(variance < (0.5 * _UNSEEN_PX) ** 2)


def slopes_px(state: RulerState) -> Array:
    """Lateral travel (m,) of the marks, px per nm of depth."""
    return np.array([mark.slope for mark in state.marks]) / state.pixel_size_nm


def centre_px(state: RulerState) -> float:
    """The reference column that the magnification leaves in place."""
    return float(np.mean([mark.x_px for mark in state.marks]))


def known_zeros(state: RulerState, images: tuple[ImageMarks, ...]) -> Zeros:
    """The zeros of these images' channels, all of which were seen before."""
    place = [state.channels.index(image.channel) for image in images]
    count = len(state.marks)
    index = (np.array(place, dtype=np.intp)[:, None] * count + np.arange(count)).ravel()
    return Zeros(
        state.zero_px[index],
        state.zero_covariance[np.ix_(index, index)],
        state.magnification[place],
        state.magnification_sigma[place],
    )


def seen_zeros(images: tuple[ImageMarks, ...], slope_px: Array, depth_nm: float) -> Zeros:
    """Zeros that put this slice at ``depth_nm`` exactly: where its marks, ``slope_px`` (m,), are seen."""
    seen = [
        fit.x_px + image.shift[1] - slope_px[fit.mark] * depth_nm if fit.usable else 0.0
        for image in images
        for fit in image.marks
    ]
    size = len(seen)
    return Zeros(np.array(seen), np.zeros((size, size)), np.zeros(len(images)), np.full(len(images), 1e-9))


def curtain_likeness(state: RulerState, images: tuple[ImageMarks, ...]) -> float:
    """How alike the curtains of this slice's images are, as far as all slices tell; 1 until they do."""
    covariance, power = common_curtains(images)
    covariance, power = covariance + state.curtain_covariance, power + state.curtain_power
    return float(np.clip(covariance / power, 0.0, 1.0)) if power > 0.0 else 1.0


def learn_known(
    state: RulerState, images: tuple[ImageMarks, ...], shifts: tuple[ImageShift, ...]
) -> RulerState:
    """Improve zeros, magnifications and curtains by the images of channels that were seen before.

    Of ``images`` only the marks that the solution used may be ``usable``; ``shifts`` are the solution's.
    """
    positions = stack_positions(images, curtain_likeness(state, images))
    if not images or not positions.image.size:
        return state
    place = np.array([state.channels.index(image.channel) for image in images], dtype=np.intp)
    seen = place[positions.image] * len(state.marks) + positions.mark
    shift = np.array([image.shift[1] for image in images])
    lever = positions.x_px + shift[positions.image] - centre_px(state)
    design = design_matrix(positions.image, len(images), slopes_px(state)[positions.mark], lever)
    observed, noise, design = _measurable(state, positions, place, design)
    zero, covariance = learn_zeros(state.zero_px, state.zero_covariance, seen, observed, noise, design)
    magnification, sigma = state.magnification.copy(), state.magnification_sigma.copy()
    for found in shifts:
        where = state.channels.index(found.channel)
        magnification[where], sigma[where] = found.magnification, found.magnification_sigma
    stripes = _KEPT * state.stripes
    for where, image in zip(place, images, strict=True):
        stripes[where] += image.stripes
    sigma = np.minimum(np.hypot(sigma, _MAGNIFICATION_STEP), _MAGNIFICATION_LIMIT)
    return replace(
        state,
        zero_px=zero,
        zero_covariance=covariance,
        magnification=magnification,
        magnification_sigma=sigma,
        stripes=stripes,
    )


def _measurable(
    state: RulerState, positions: Positions, place: NDArray[np.intp], design: Array
) -> tuple[Array, Array, Array]:
    """Positions, noise and unknowns of a slice; channels ``place`` (k,), design of :func:`design_matrix`.

    An image of three marks cannot tell its magnification. What is believed of it is taken off then: otherwise
    shift, depth and magnification would explain any marks, and the place of a new one would never be learned.
    """
    observed, noise = positions.x_px.copy(), positions.noise.copy()
    free = np.ones(design.shape[1], dtype=bool)
    for image, where in enumerate(place):
        column = 1 + place.size + image
        if np.count_nonzero(positions.image == image) <= _UNKNOWNS:
            lever = design[:, column]
            observed -= state.magnification[where] * lever
            noise += state.magnification_sigma[where] ** 2 * np.outer(lever, lever)
            free[column] = False
    return observed, noise, design[:, free]


def learn_new(state: RulerState, image: ImageMarks, depth_nm: float, depth_sigma_nm: float) -> RulerState:
    """Learn the zeros of a channel seen for the first time, at the depth that the slice is known to have."""
    count, size = len(state.marks), state.zero_px.size
    zero = np.append(state.zero_px, configured_zeros(state))
    covariance = np.zeros((size + count, size + count))
    covariance[:size, :size] = state.zero_covariance
    covariance[size:, size:] = _UNSEEN_PX**2 * np.eye(count)
    positions = stack_positions((image,), 1.0)
    slope = slopes_px(state)[positions.mark]
    noise = positions.noise + depth_sigma_nm**2 * np.outer(slope, slope)
    observed = positions.x_px + image.shift[1] - slope * depth_nm
    nothing_unknown = np.empty((slope.size, 0))
    seen = size + positions.mark
    zero, covariance = learn_zeros(zero, covariance, seen, observed, noise, nothing_unknown)
    # A depth that is wrong makes these zeros wrong, the same way as it depends on the others.
    covariance[seen, :size] = -slope[:, None] * state.depth_zeros
    covariance[:size, seen] = covariance[seen, :size].T
    with_depth = np.append(state.depth_zeros, np.zeros(count))
    with_depth[seen] = -slope * depth_sigma_nm**2
    return replace(
        state,
        channels=(*state.channels, image.channel),
        zero_px=zero,
        zero_covariance=covariance,
        magnification=np.append(state.magnification, 0.0),
        magnification_sigma=np.append(state.magnification_sigma, _MAGNIFICATION_STEP),
        depth_zeros=with_depth,
        suspected=np.append(state.suspected, np.nan),
        stripes=np.concatenate([state.stripes, image.stripes[None]]),
    )
