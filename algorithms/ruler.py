"""Depth of a face from the ruler cut into the sample: absolute, with its error, from every single image.

The way of a slice: :func:`read_depth` for each image as it arrives (the first one already gives a depth),
:func:`combine_readings` when the slice is complete, :func:`advance` to remember it. The state is small,
frozen and complete: the same images give the same numbers, bit for bit, after a restart.

Depth 0 is the face of the first slice *by definition*. ``sigma_nm`` is the error from this slice's own noise,
``step_sigma_nm`` that of the thickness since the last face (:mod:`algorithms.ruler_step`). ``depth_sigma_nm``
also contains the error of the learned zero, which is common to all later slices; it is 0 for the first slice.

Chance makes some slice of a long run look as if the magnification had changed or the marks disagreed. Such a
slice is solved with what it suggests, but only a second one running, of the same magnification, is told and
remembered.

Ruler method: Shkurmanov et al., *Nanomanuf. Metrol.* (2022); Sardhara et al., slice thickness quantification,
§2.1.1. The least squares and the learned zeros are in :mod:`algorithms.ruler_solution`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_doubt import confirmed, doubts_told, suspicions
from algorithms.ruler_marks import Prediction, locate_marks
from algorithms.ruler_reading import DepthReading, unreadable
from algorithms.ruler_slice import (
    ImageMarks,
    SliceSolution,
    common_curtains,
    solve_slice,
    stack_positions,
)
from algorithms.ruler_solution import determines_depth
from algorithms.ruler_state import (
    RulerState,
    centre_px,
    channel_zeros,
    curtain_likeness,
    expected_depth_nm,
    known_zeros,
    learn_known,
    learn_new,
    learned_marks,
    seen_zeros,
    slopes_px,
    start_ruler,
)
from algorithms.ruler_step import depth_zeros, step_sigma_nm
from algorithms.stripe_noise import EVIDENCE_SHAPE

__all__ = [
    "DepthReading",
    "RulerState",
    "advance",
    "combine_readings",
    "expected_depth_nm",
    "read_depth",
    "read_depth_profile",
    "start_ruler",
]

Array: TypeAlias = NDArray[np.float64]

_PATIENCE = 10.0  # degrees of freedom before earlier residuals are believed to tell of larger errors
_KEPT = 0.97  # of what earlier residuals taught, from slice to slice
_DEEPEST_STEP = 3.0  # a slice may be this many times thicker than the target
_RISE_SIGMA = 5.0  # standard errors of a thickness by which noise alone makes it negative


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
    if not np.isfinite((*shift, expected)).all():
        return unreadable((), (f"{channel}: nobody knows where to look: shift {shift}, depth {expected} nm",))
    prediction = _predict(state, channel, shift[1], expected)
    known = channel in state.channels
    memory = state.stripes[state.channels.index(channel)] if known else np.zeros(EVIDENCE_SHAPE)
    fits, stripes = locate_marks(image, state.marks, shift[0], prediction, state.polarity, memory)
    return _solve(state, (ImageMarks(channel, shift, fits, stripes),))


def read_depth_profile(
    state: RulerState,
    image: NDArray[np.generic],
    channel: str,
    shift: tuple[float, float],
    bands: int,
    expected_nm: float | None = None,
) -> tuple[tuple[float, DepthReading], ...]:
    """Depth along y: the marks cut into ``bands`` of rows, top to bottom, as (mean row px, reading) pairs.

    A face that is not parallel to the one before (taper) shows as a thickness that differs between the bands;
    take differences of the same band in two slices, so that a slanted mark cancels.
    """
    profile: list[tuple[float, DepthReading]] = []
    for band in range(bands):
        marks = tuple(
            replace(mark, y_px=mark.y_px + band * mark.height_px / bands, height_px=mark.height_px / bands)
            for mark in state.marks
        )
        row = float(np.mean([mark.y_px + 0.5 * mark.height_px for mark in marks]))
        reading = read_depth(replace(state, marks=marks), image, channel, shift, expected_nm)
        profile.append((row, reading))
    return tuple(profile)


def combine_readings(state: RulerState, readings: tuple[DepthReading, ...]) -> DepthReading:
    """Solve all images of one slice together: one depth, one shift and one magnification per image."""
    return _solve(state, tuple(image for reading in readings for image in reading.images))


def advance(state: RulerState, reading: DepthReading) -> RulerState:
    """Remember a finished slice. An unreadable one only widens the search for the next."""
    if not reading.readable:
        return replace(state, missed=state.missed + 1) if state.slices else state
    covariance, power = common_curtains(reading.images)
    learned = replace(
        _learned(state, reading),
        depth_variance=reading.depth_sigma_nm**2,
        depth_zeros=depth_zeros(state, reading.used, reading.gain),
    )
    for image in reading.images:
        if image.channel not in learned.channels:
            learned = learn_new(learned, image, reading.depth_nm, reading.depth_sigma_nm)
    return replace(
        learned,
        depth_nm=reading.depth_nm,
        slices=state.slices + 1,
        missed=0,
        curtain_covariance=_KEPT * state.curtain_covariance + covariance,
        curtain_power=_KEPT * state.curtain_power + power,
        chi2_sum=_KEPT * state.chi2_sum + reading.chi2,
        dof_sum=_KEPT * state.dof_sum + reading.dof,
        disagreed=state.disagreed + 1 if reading.disagreement else 0,
    )


def _learned(state: RulerState, reading: DepthReading) -> RulerState:
    """What the slice teaches of the known channels; nothing while its magnification is only suspected."""
    if reading.changed and not confirmed(state, reading.shifts):
        return replace(state, suspected=suspicions(state, reading.shifts))
    state = replace(state, suspected=np.full(len(state.channels), np.nan))
    return learn_known(state, _used_images(reading, state.channels), reading.shifts)


def _predict(state: RulerState, channel: str, shift_x_px: float, expected_nm: float) -> Prediction:
    zero = channel_zeros(state, channel)
    slope = slopes_px(state)
    target, first = state.target_thickness_nm, state.slices == 0
    mills = max(state.missed + 1.0, (expected_nm - state.depth_nm) / target)
    shallower_nm = 0.0 if first else (mills + 1.0) * target
    deeper_nm = 0.0 if first else (_DEEPEST_STEP - 1.0) * mills * target + target
    # A depth carried over n slices of 3 nm scatter is good to 3·√n nm: which marks are there is clearer than
    # which depths have to be searched.
    doubt_nm = 0.0 if first else target * (1.0 + mills**0.5)
    likely_nm = expected_nm - doubt_nm, expected_nm + doubt_nm
    return Prediction(
        centre_px=zero + slope * expected_nm - shift_x_px,
        slope=slope,
        width_px=np.array([mark.width_nm / state.pixel_size_nm for mark in state.marks]),
        search_px=state.search_px,
        shallower_nm=shallower_nm,
        deeper_nm=deeper_nm,
        present=np.array([mark.is_there(*likely_nm) for mark in state.marks]),
        known=learned_marks(state, channel),
    )


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
    zeros = seen_zeros(known, slopes_px(state), 0.0) if first else known_zeros(state, known)
    inflation = (state.chi2_sum + _PATIENCE) / (state.dof_sum + _PATIENCE)
    positions = stack_positions(known, curtain_likeness(state, known))
    solved = solve_slice(known, positions, slopes_px(state), centre_px(state), zeros, max(inflation, 1.0))
    if solved is None:
        return unreadable(images, (*notes, "no known image shows marks that tell depth from shift"))
    if not first and not _rests_on_learned(state, known, solved):
        return unreadable(images, (*notes, "only marks that were not seen beside earlier ones are left"))
    notes = (*notes, *solved.notes, *doubts_told(state, solved))
    reading = _reading(state, solved, known, images, notes)
    rise_nm = state.depth_nm - reading.depth_nm
    if not first and rise_nm > _RISE_SIGMA * reading.step_sigma_nm:
        # Nothing puts milled material back: some other edge was taken for a mark.
        return unreadable(
            images, (*notes, f"the marks would put the face {rise_nm:.1f} nm back: not believed")
        )
    return reading


def _rests_on_learned(state: RulerState, known: tuple[ImageMarks, ...], solved: SliceSolution) -> bool:
    """Whether the marks whose zeros are learned determine the depth by themselves."""
    slope, found = slopes_px(state), solved.positions
    learned = np.array(
        [
            learned_marks(state, known[image].channel)[mark]
            for image, mark in zip(found.image, found.mark, strict=True)
        ]
    )
    return determines_depth(found.image[learned], slope[found.mark[learned]])


def _reading(
    state: RulerState,
    solved: SliceSolution,
    known: tuple[ImageMarks, ...],
    images: tuple[ImageMarks, ...],
    notes: tuple[str, ...],
) -> DepthReading:
    solution, alone, first = solved.solution, len(images) == 1, state.slices == 0
    used = tuple(
        (known[k].channel, int(mark))
        for k, mark in zip(solved.positions.image, solved.positions.mark, strict=True)
    )
    own, zero = float(solution.own[0, 0]), float(solution.zero[0, 0])
    return DepthReading(
        depth_nm=0.0 if first else float(solution.parameters[0]),
        sigma_nm=own**0.5,
        depth_sigma_nm=0.0 if first else (own + zero) ** 0.5,
        step_sigma_nm=step_sigma_nm(state, used, solution.depth_gain, own),
        shift_x_px=solved.shifts[0].shift_x_px if alone else float("nan"),
        shift_x_sigma_px=solved.shifts[0].shift_x_sigma_px if alone else float("nan"),
        chi2=0.0 if first else solution.chi2,
        dof=0 if first else max(solution.dof, 0),
        shifts=solved.shifts,
        images=images,
        used=used,
        gain=solution.depth_gain,
        changed=solved.changed,
        disagreement=solved.disagreement,
        readable=True,
        notes=notes,
    )


def _used_images(reading: DepthReading, channels: tuple[str, ...]) -> tuple[ImageMarks, ...]:
    """The images of known channels, with only the marks that entered the solution still usable."""
    return tuple(
        replace(
            image,
            marks=tuple(
                replace(fit, usable=fit.usable and (image.channel, fit.mark) in reading.used)
                for fit in image.marks
            ),
        )
        for image in reading.images
        if image.channel in channels
    )
