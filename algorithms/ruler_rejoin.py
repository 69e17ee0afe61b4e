"""A ruler of which only new marks are left: they take over at the depth that was carried to their first face.

Marks hand over to each other while both are seen (:mod:`algorithms.ruler_state`). Where none was seen beside
the old ones, because images failed just then or the ruler has a hole, the new ones cannot tell how deep they
are. The face is then put where other sources say it lies; from there on the marks measure again. The error
of that depth stays in all later depths, and in no later thickness.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from algorithms.ruler import DepthReading
from algorithms.ruler_slice import ImageMarks, stack_positions
from algorithms.ruler_solution import determines_depth, learn_zeros
from algorithms.ruler_state import RulerState, curtain_likeness, learned_marks, slopes_px


def rejoin(
    state: RulerState, reading: DepthReading, depth_nm: float, depth_sigma_nm: float
) -> RulerState | None:
    """The ruler with its new marks learned at ``depth_nm`` ± ``depth_sigma_nm``.

    None where there is nothing to take over: the reading is good, its images show no marks that tell depth
    from shift, or marks that are known do and were not believed.
    """
    images = tuple(image for image in reading.images if image.channel in state.channels)
    if reading.readable or state.slices == 0 or not images:
        return None
    if not _tells_depth(state, images) or _tells_depth(state, tuple(_known(state, i) for i in images)):
        return None
    return _learned(state, images, depth_nm, depth_sigma_nm)


def _learned(
    state: RulerState, images: tuple[ImageMarks, ...], depth_nm: float, depth_sigma_nm: float
) -> RulerState:
    """The zeros after a slice of known depth ± error, whose shifts nobody knows."""
    positions = stack_positions(images, curtain_likeness(state, images))
    place = np.array([state.channels.index(image.channel) for image in images], dtype=np.intp)
    seen = place[positions.image] * len(state.marks) + positions.mark
    slope = slopes_px(state)[positions.mark]
    shift = np.array([image.shift[1] for image in images])
    observed = positions.x_px + shift[positions.image] - slope * depth_nm
    noise = positions.noise + depth_sigma_nm**2 * np.outer(slope, slope)
    member = (positions.image[:, None] == np.arange(len(images))).astype(np.float64)
    zero, covariance = learn_zeros(state.zero_px, state.zero_covariance, seen, observed, noise, member)
    with_depth = state.depth_zeros.copy()
    with_depth[seen] = -slope * depth_sigma_nm**2
    return replace(
        state,
        zero_px=zero,
        zero_covariance=covariance,
        depth_nm=depth_nm,
        depth_variance=depth_sigma_nm**2,
        depth_zeros=with_depth,
        slices=state.slices + 1,
        missed=0,
    )


def _tells_depth(state: RulerState, images: tuple[ImageMarks, ...]) -> bool:
    rows = [(k, fit.mark) for k, image in enumerate(images) for fit in image.marks if fit.usable]
    image = np.array([k for k, _ in rows], dtype=np.intp)
    mark = np.array([m for _, m in rows], dtype=np.intp)
    return determines_depth(image, slopes_px(state)[mark])


def _known(state: RulerState, image: ImageMarks) -> ImageMarks:
    """The image with only those marks usable whose zeros are learned."""
    learned = learned_marks(state, image.channel)
    marks = tuple(
        replace(fit, usable=fit.usable and bool(known))
        for fit, known in zip(image.marks, learned, strict=True)
    )
    return replace(image, marks=marks)
