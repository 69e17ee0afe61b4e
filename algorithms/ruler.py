"""Depth of a face from the ruler cut into the sample: absolute, with its error, from every single image.

The way of a slice: :func:`read_depth` for each image as it arrives (the first one already gives a depth),
:func:`combine_readings` when the slice is complete, :func:`advance` to remember it. The state is small,
frozen and complete: the same images give the same numbers, bit for bit, after a restart.

Depth 0 is the face of the first slice *by definition*. ``sigma_nm`` is the error from this slice's own noise:
the thickness between two slices has ``hypot`` of the two. ``depth_sigma_nm`` also contains the error of the
learned zero, which is common to all later slices; it is 0 for the first slice.

Ruler method: Shkurmanov et al., *Nanomanuf. Metrol.* (2022); Sardhara et al., slice thickness quantification,
§2.1.1. The least squares and the learned zeros are in :mod:`algorithms.ruler_solution`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_marks import Prediction, RulerMark, locate_marks
from algorithms.ruler_slice import ImageMarks, ImageShift, SliceSolution, Zeros, solve_slice, stack_positions
from algorithms.ruler_solution import design_matrix, determines_depth, learn_zeros

Array: TypeAlias = NDArray[np.float64]

_UNSEEN_PX = 50.0  # a configured position says this little about where a mark exactly is
_MAGNIFICATION_STEP = 2e-5  # what a SEM's magnification wanders from slice to slice …
_MAGNIFICATION_LIMIT = 1e-4  # … and the most that is believed of it when nothing measures it
_PATIENCE = 10.0  # degrees of freedom before earlier residuals are believed to tell of larger errors
_DEEPEST_STEP = 3.0  # a slice may be this many times thicker than the target


@dataclass(frozen=True, slots=True)
class RulerState:
    """What is known after some slices. ``zero_px`` (c·m,) and its covariance: channel after channel."""

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
    depth_nm: float
    slices: int
    missed: int
    chi2_sum: float
    dof_sum: float


@dataclass(frozen=True, slots=True)
class DepthReading:
    """Depth of one face, from one image or from all of a slice; NaN where ``readable`` is false.

    ``shift_x_px`` is the shift the ruler finds, NaN when several images are combined: then see ``shifts``.
    ``used`` names channel and mark of every position that entered the solution.
    ``chi2_dof`` is NaN when no mark is redundant. ``notes`` are for people.
    """

    depth_nm: float
    sigma_nm: float
    depth_sigma_nm: float
    shift_x_px: float
    shift_x_sigma_px: float
    chi2: float
    dof: int
    shifts: tuple[ImageShift, ...]
    images: tuple[ImageMarks, ...]
    used: tuple[tuple[str, int], ...]
    readable: bool
    notes: tuple[str, ...]

    @property
    def chi2_dof(self) -> float:
        """χ² of the marks per degree of freedom: about 1 when the errors are what they claim to be."""
        return self.chi2 / self.dof if self.dof > 0 else float("nan")


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
    Raises ValueError when the marks cannot tell depth from shift.
    """
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
        magnification=nothing, magnification_sigma=nothing,
        depth_nm=0.0, slices=0, missed=0, chi2_sum=0.0, dof_sum=0.0,
    )  # fmt: skip


def expected_depth_nm(state: RulerState) -> float:
    """Where the next face should lie: the last depth plus one target thickness per slice since."""
    return state.depth_nm + (state.missed + 1) * state.target_thickness_nm if state.slices else 0.0


def read_depth(
    state: RulerState,
    image: NDArray[np.generic],
    channel: str,
    shift: tuple[float, float] = (0.0, 0.0),
    expected_nm: float | None = None,
) -> DepthReading:
    """Depth of the face in ``image`` (h, w), any numeric dtype.

    ``channel`` names the image's kind (each voltage has its own zeros), ``shift`` (dy, dx) is a guess of the
    image's shift, ``expected_nm`` of its depth. Never raises for a bad image: ``readable`` says so.
    """
    expected = expected_depth_nm(state) if expected_nm is None else expected_nm
    prediction = _predict(state, channel, shift[1], expected)
    fits = locate_marks(image, state.marks, shift[0], prediction, state.polarity)
    return _solve(state, (ImageMarks(channel, shift, fits),))


def combine_readings(state: RulerState, readings: tuple[DepthReading, ...]) -> DepthReading:
    """Solve all images of one slice together: one depth, one shift and one magnification per image."""
    return _solve(state, tuple(image for reading in readings for image in reading.images))


def advance(state: RulerState, reading: DepthReading) -> RulerState:
    """Remember a finished slice. An unreadable one only widens the search for the next."""
    if not reading.readable:
        return replace(state, missed=state.missed + 1) if state.slices else state
    learned = _learn_known(state, reading)
    for image in reading.images:
        if image.channel not in learned.channels:
            learned = _learn_new(learned, image, reading)
    return replace(
        learned,
        depth_nm=reading.depth_nm,
        slices=state.slices + 1,
        missed=0,
        chi2_sum=0.97 * state.chi2_sum + reading.chi2,
        dof_sum=0.97 * state.dof_sum + reading.dof,
    )


def _predict(state: RulerState, channel: str, shift_x_px: float, expected_nm: float) -> Prediction:
    zero = _zeros_of(state, channel)
    slope = _slopes_px(state)
    thick = _DEEPEST_STEP * state.target_thickness_nm * (state.missed + 1)
    first = state.slices == 0
    return Prediction(
        centre_px=zero + slope * expected_nm - shift_x_px,
        slope=slope,
        width_px=np.array([mark.width_nm / state.pixel_size_nm for mark in state.marks]),
        search_px=state.search_px,
        shallower_nm=0.0 if first else state.target_thickness_nm * (state.missed + 2),
        deeper_nm=0.0 if first else thick,
    )


def _zeros_of(state: RulerState, channel: str) -> Array:
    if channel not in state.channels:
        return np.array([mark.x_px for mark in state.marks])
    first = state.channels.index(channel) * len(state.marks)
    return state.zero_px[first : first + len(state.marks)]


def _slopes_px(state: RulerState) -> Array:
    return np.array([mark.slope for mark in state.marks]) / state.pixel_size_nm


def _solve(state: RulerState, images: tuple[ImageMarks, ...]) -> DepthReading:
    """First slice: depth is 0, only its error is computed. Later: the channels with zeros give it."""
    first = state.slices == 0
    known = images if first else tuple(image for image in images if image.channel in state.channels)
    notes = tuple(
        f"{image.channel}: mark {fit.mark + 1} not used: {fit.note}"
        for image in images
        for fit in image.marks
        if fit.note
    )
    zeros = _first_zeros(state, known) if first else _known_zeros(state, known)
    inflation = (state.chi2_sum + _PATIENCE) / (state.dof_sum + _PATIENCE)
    solved = solve_slice(known, _slopes_px(state), _centre_px(state), zeros, max(inflation, 1.0))
    if solved is None:
        return _unreadable(images, (*notes, "no known image shows marks that tell depth from shift"))
    return _reading(solved, known, images, (*notes, *solved.notes), first=first)


def _centre_px(state: RulerState) -> float:
    return float(np.mean([mark.x_px for mark in state.marks]))


def _first_zeros(state: RulerState, images: tuple[ImageMarks, ...]) -> Zeros:
    """Zeros that make the first slice's depth 0 exactly: the marks are where they are seen."""
    seen = [fit.x_px + image.shift[1] if fit.usable else 0.0 for image in images for fit in image.marks]
    size = len(seen)
    return Zeros(np.array(seen), np.zeros((size, size)), np.zeros(len(images)), np.full(len(images), 1e-9))


def _known_zeros(state: RulerState, images: tuple[ImageMarks, ...]) -> Zeros:
    place = [state.channels.index(image.channel) for image in images]
    count = len(state.marks)
    index = (np.array(place, dtype=np.intp)[:, None] * count + np.arange(count)).ravel()
    return Zeros(
        state.zero_px[index],
        state.zero_covariance[np.ix_(index, index)],
        state.magnification[place],
        state.magnification_sigma[place],
    )


def _reading(
    solved: SliceSolution,
    known: tuple[ImageMarks, ...],
    images: tuple[ImageMarks, ...],
    notes: tuple[str, ...],
    *,
    first: bool,
) -> DepthReading:
    solution, alone = solved.solution, len(images) == 1
    own, zero = float(solution.own[0, 0]), float(solution.zero[0, 0])
    return DepthReading(
        depth_nm=0.0 if first else float(solution.parameters[0]),
        sigma_nm=own**0.5,
        depth_sigma_nm=0.0 if first else (own + zero) ** 0.5,
        shift_x_px=solved.shifts[0].shift_x_px if alone else float("nan"),
        shift_x_sigma_px=solved.shifts[0].shift_x_sigma_px if alone else float("nan"),
        chi2=0.0 if first else solution.chi2,
        dof=0 if first else max(solution.dof, 0),
        shifts=solved.shifts,
        images=images,
        used=tuple(
            (known[k].channel, int(mark))
            for k, mark in zip(solved.positions.image, solved.positions.mark, strict=True)
        ),
        readable=True,
        notes=notes,
    )


def _unreadable(images: tuple[ImageMarks, ...], notes: tuple[str, ...]) -> DepthReading:
    nan = float("nan")
    return DepthReading(nan, nan, nan, nan, nan, 0.0, 0, (), images, (), False, notes)


def _used_images(reading: DepthReading) -> tuple[ImageMarks, ...]:
    """The images with only the marks that entered the solution still usable."""
    return tuple(
        replace(
            image,
            marks=tuple(
                replace(fit, usable=fit.usable and (image.channel, fit.mark) in reading.used)
                for fit in image.marks
            ),
        )
        for image in reading.images
    )


def _learn_known(state: RulerState, reading: DepthReading) -> RulerState:
    images = tuple(image for image in _used_images(reading) if image.channel in state.channels)
    positions = stack_positions(images)
    if not images or not positions.image.size:
        return state
    place = np.array([state.channels.index(image.channel) for image in images], dtype=np.intp)
    seen = place[positions.image] * len(state.marks) + positions.mark
    shift = np.array([image.shift[1] for image in images])
    lever = positions.x_px + shift[positions.image] - _centre_px(state)
    design = design_matrix(positions.image, len(images), _slopes_px(state)[positions.mark], lever)
    zero, covariance = learn_zeros(
        state.zero_px, state.zero_covariance, seen, positions.x_px, positions.noise, design
    )
    magnification, sigma = state.magnification.copy(), state.magnification_sigma.copy()
    for found in reading.shifts:
        where = state.channels.index(found.channel)
        magnification[where], sigma[where] = found.magnification, found.magnification_sigma
    sigma = np.minimum(np.hypot(sigma, _MAGNIFICATION_STEP), _MAGNIFICATION_LIMIT)
    return replace(
        state,
        zero_px=zero,
        zero_covariance=covariance,
        magnification=magnification,
        magnification_sigma=sigma,
    )


def _learn_new(state: RulerState, image: ImageMarks, reading: DepthReading) -> RulerState:
    """The zeros of a channel seen for the first time, from the depth that the slice is known to have."""
    count, size = len(state.marks), state.zero_px.size
    zero = np.append(state.zero_px, [mark.x_px for mark in state.marks])
    covariance = np.zeros((size + count, size + count))
    covariance[:size, :size] = state.zero_covariance
    covariance[size:, size:] = _UNSEEN_PX**2 * np.eye(count)
    positions = stack_positions((image,))
    slope = _slopes_px(state)[positions.mark]
    noise = positions.noise + reading.depth_sigma_nm**2 * np.outer(slope, slope)
    observed = positions.x_px + image.shift[1] - slope * reading.depth_nm
    nothing_unknown = np.empty((slope.size, 0))
    zero, covariance = learn_zeros(zero, covariance, size + positions.mark, observed, noise, nothing_unknown)
    return replace(
        state,
        channels=(*state.channels, image.channel),
        zero_px=zero,
        zero_covariance=covariance,
        magnification=np.append(state.magnification, 0.0),
        magnification_sigma=np.append(state.magnification_sigma, _MAGNIFICATION_STEP),
    )
