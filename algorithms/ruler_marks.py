"""The marks of a ruler in one image: where each is, how sure that is, and which are not usable.

A mark at reference position (y, x) is looked for at ``x - dx``, on the rows ``y - dy … y - dy + height``,
where (dy, dx) is the image's shift. All marks are found together (:mod:`algorithms.ruler_search`), then
each is fitted alone (:mod:`algorithms.bar_profile`) under the noise that the image itself shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.bar_profile import BarFit, Profile, column_profile, fit_bar
from algorithms.ruler_search import match_score, nearest_match, search_marks
from algorithms.stripe_noise import EVIDENCE_SHAPE, most_likely, stripe_covariance, stripe_evidence

Array: TypeAlias = NDArray[np.float64]

_MARGIN = 0.6  # background on either side of a bar, in bar widths …
_SMALLEST_MARGIN_PX = 8.0  # … but at least this much, to tell the blur from the background
_FEWEST_ROWS = 4
_END_ROWS = 2  # left out at both ends: the bar's end is not where rounding and registration put it
_POOREST_MATCH = 0.3
_SMALLEST_CONTRAST = 6.0  # amplitude over its error
_START_BLUR_PX = 1.5


@dataclass(frozen=True, slots=True)
class RulerMark:
    """A vertical bar on the face: centre x and top y in px of the first slice, size in px and nm.

    An inclined mark moves by ``direction · tan(angle)`` nm along x per nm of depth. A mark that hands over to
    others is there only from depth ``begins_nm``, where its centre is ``x_px``, to ``ends_nm``.
    """

    kind: Literal["parallel", "inclined"]
    x_px: float
    y_px: float
    height_px: float
    direction: int
    angle_deg: float
    width_nm: float
    begins_nm: float = 0.0
    ends_nm: float = float("inf")

    @property
    def slope(self) -> float:
        """Lateral travel per depth (nm per nm); 0 for a parallel mark."""
        return 0.0 if self.kind == "parallel" else self.direction * float(np.tan(np.radians(self.angle_deg)))

    def is_there(self, shallowest_nm: float, deepest_nm: float) -> bool:
        """Whether a face that lies somewhere between these depths shows the mark for certain."""
        has_begun = self.begins_nm <= max(shallowest_nm, 0.0)
        return has_begun and deepest_nm <= self.ends_nm


@dataclass(frozen=True, slots=True)
class MarkFit:
    """One mark in one image. ``x_px`` in the image's own columns; ``note`` says why ``usable`` is false.

    ``residual`` (n,) is what the fit leaves over from ``first_column`` on; ``contrast`` the bar's height over
    its error. ``white_variance`` is the residual's variance without curtains, ``white_share`` what that makes
    of ``sigma_px`` squared.
    """

    mark: int
    usable: bool
    x_px: float
    sigma_px: float
    width_px: float
    blur_px: float
    contrast: float
    first_column: int
    residual: Array
    white_variance: float
    white_share: float
    note: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an image should show: centres (m,) px, slopes (m,) px per nm, and how far off that may be.

    ``present`` (m,): the marks that are there at this depth; ``known`` (m,): those whose centre was learned,
    where a new one's is only as good as its configured place.
    """

    centre_px: Array
    slope: Array
    width_px: Array
    search_px: float
    shallower_nm: float
    deeper_nm: float
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]


def locate_marks(
    image: NDArray[np.generic],
    marks: tuple[RulerMark, ...],
    row_shift_px: float,
    prediction: Prediction,
    polarity: int,
    memory: Array,
) -> tuple[tuple[MarkFit, ...], Array]:
    """Find and fit all marks in ``image`` (h, w). ``polarity`` +1: bright bars, -1: dark bars.

    Returns a record per mark, in order, and what the image says about its curtains, to be added to what
    earlier images said, ``memory``. A mark that is outside, hidden or doubtful has ``usable = False``.
    """
    present = np.flatnonzero(prediction.present)
    strips = [
        _rows(image, mark, row_shift_px) if there else image[:0]
        for mark, there in zip(marks, prediction.present, strict=True)
    ]
    start, match = _search(strips, prediction, polarity)
    profiles = [
        _window(strips[mark], mark, start, prediction.width_px, _beside(marks, mark, present))
        for mark in range(len(marks))
    ]
    fits, evidence = _fit_all(profiles, start, prediction.width_px, memory)
    judged = tuple(
        _judge(mark, profiles[mark], fits[mark], float(match[mark]), float(start[mark]), polarity)
        if prediction.present[mark]
        else _unseen(mark, "")
        for mark in range(len(marks))
    )
    return judged, evidence


def _rows(image: NDArray[np.generic], mark: RulerMark, row_shift_px: float) -> NDArray[np.generic]:
    top = max(int(np.ceil(mark.y_px - row_shift_px)) + _END_ROWS, 0)
    bottom = int(np.floor(mark.y_px - row_shift_px + mark.height_px)) - _END_ROWS
    return image[top : max(bottom, top)]


def _margin_px(width_px: float) -> float:
    return max(_MARGIN * width_px, _SMALLEST_MARGIN_PX)


def _search(strips: list[NDArray[np.generic]], prediction: Prediction, polarity: int) -> tuple[Array, Array]:
    """Start centres (m,) and their match with a bar (m,).

    The marks whose places are known are found together; then a new one near where it was configured.
    """
    scores = [_mark_score(strips[m], prediction, m, polarity) for m in range(len(strips))]
    known = prediction.known & prediction.present
    leading = known if known.any() else prediction.present
    nothing = np.empty(0), np.empty(0)
    together = [score if leads else nothing for score, leads in zip(scores, leading, strict=True)]
    reach = np.ceil(prediction.search_px)
    offsets = np.arange(-reach, reach + 1.0)
    steepest = max(float(np.abs(prediction.slope).max()), 1e-9)
    depths = np.arange(-prediction.shallower_nm, prediction.deeper_nm + 1e-9, 1.0 / steepest)
    offset, change, match = search_marks(together, prediction.centre_px, prediction.slope, offsets, depths)
    start = prediction.centre_px + offset + prediction.slope * change
    for mark in np.flatnonzero(prediction.present & ~leading):
        taken, room = start[leading], float(prediction.width_px[mark])
        start[mark], match[mark] = nearest_match(scores[mark], float(start[mark]), reach, taken, room)
    return start, match


def _mark_score(
    strip: NDArray[np.generic], prediction: Prediction, mark: int, polarity: int
) -> tuple[Array, Array]:
    width, slope = float(prediction.width_px[mark]), float(prediction.slope[mark])
    travel = max(prediction.shallower_nm, prediction.deeper_nm) * abs(slope)
    reach = prediction.search_px + travel + width / 2 + _margin_px(width) + 2
    first = max(int(prediction.centre_px[mark] - reach), 0)
    last = min(int(prediction.centre_px[mark] + reach) + 1, strip.shape[1])
    if strip.shape[0] < _FEWEST_ROWS or last - first < width or not _is_number(strip[:, first:last]):
        return np.empty(0), np.empty(0)
    value = strip[:, first:last].mean(axis=0, dtype=np.float64)
    profile = Profile(np.arange(first, last, dtype=np.float64), value, np.ones_like(value))
    return match_score(profile, width, 0.5 * _margin_px(width), polarity)


def _is_number(pixels: NDArray[np.generic]) -> bool:
    """Whether every pixel has a value: what lies around a mark without is not searched, nor fitted."""
    return bool(np.isfinite(pixels).all())


def _beside(marks: tuple[RulerMark, ...], mark: int, present: NDArray[np.intp]) -> list[int]:
    """Which of the marks that are there share rows with ``mark``."""
    top, bottom = marks[mark].y_px, marks[mark].y_px + marks[mark].height_px
    return [
        int(other)
        for other in present
        if other != mark and marks[other].y_px < bottom and top < marks[other].y_px + marks[other].height_px
    ]


def _window(
    strip: NDArray[np.generic], mark: int, centre: Array, width: Array, beside: list[int]
) -> Profile | None:
    """The profile around a mark, stopping half-way to a neighbour; None when too little of it is seen."""
    half = width[mark] / 2 + _margin_px(float(width[mark]))
    low, high = max(centre[mark] - half, 0.0), min(centre[mark] + half, strip.shape[1] - 1.0)
    for other in beside:
        edge = 0.5 * (centre[mark] + centre[other]) + np.sign(centre[other] - centre[mark]) * 0.25 * (
            width[mark] - width[other]
        )
        low, high = (max(low, edge), high) if centre[other] < centre[mark] else (low, min(high, edge))
    first, last = int(np.ceil(low)), int(np.floor(high)) + 1
    nearest = min(centre[mark] - first, last - 1 - centre[mark]) - width[mark] / 2
    if strip.shape[0] < _FEWEST_ROWS or nearest < 0.4 * _SMALLEST_MARGIN_PX:
        return None
    if not _is_number(strip[:, first:last]):
        return None
    return column_profile(np.asarray(strip[:, first:last], dtype=np.float64), first)


def _fit_all(
    profiles: list[Profile | None], start: Array, width: Array, memory: Array
) -> tuple[list[BarFit | None], Array]:
    """Fit under white noise, learn of the curtains from what remains, fit again under both."""
    first = [
        None
        if p is None
        else fit_bar(p, float(start[m]), float(width[m]), _START_BLUR_PX, np.diag(p.variance))
        for m, p in enumerate(profiles)
    ]
    evidence = np.zeros(EVIDENCE_SHAPE)
    for p, fit in zip(profiles, first, strict=True):
        if p is not None and fit is not None and fit.converged:
            evidence += stripe_evidence(fit.residual, p.variance, p.value - fit.residual, fit.design)
    stripes = most_likely(evidence + memory)
    again: list[BarFit | None] = []
    for m, (p, fit) in enumerate(zip(profiles, first, strict=True)):
        if p is None or fit is None:
            again.append(None)
            continue
        covariance = np.diag(p.variance) + stripe_covariance(p.value - fit.residual, stripes)
        again.append(fit_bar(p, fit.centre_px, float(width[m]), fit.blur_px, covariance))
    return again, evidence


def _judge(
    mark: int, profile: Profile | None, fit: BarFit | None, match: float, start: float, polarity: int
) -> MarkFit:
    if profile is None or fit is None:
        return _unseen(mark, "outside the image, overlapped or without values")
    contrast = polarity * fit.amplitude / max(fit.amplitude_sigma, 1e-12)
    note = ""
    if match < _POOREST_MATCH:
        note = f"looks unlike a bar (match {match:.2f} < {_POOREST_MATCH})"
    elif contrast < _SMALLEST_CONTRAST:
        note = f"contrast is only {contrast:.1f} of its error"
    elif not fit.converged or abs(fit.centre_px - start) > 0.35 * fit.width_px + 2.0:
        note = "the edge fit did not settle"
    return MarkFit(
        mark, not note, fit.centre_px, fit.centre_sigma_px, fit.width_px, fit.blur_px, contrast,
        int(profile.x_px[0]), fit.residual, float(profile.variance.mean()), fit.white_share, note,
    )  # fmt: skip


def _unseen(mark: int, note: str) -> MarkFit:
    nan = float("nan")
    return MarkFit(mark, False, nan, nan, nan, nan, 0.0, 0, np.empty(0), 0.0, 1.0, note)
