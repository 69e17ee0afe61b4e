"""One slice's images solved together, with the suspicion a long run needs.

Three hypotheses are tried in order, and the first that the residuals allow is taken: the marks are where they
should be; the magnification has changed, by many times its error; single marks are wrong (damaged, hidden,
mistaken) and are left out, with a note. A mark is left out only when the data say *which* one is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from algorithms.ruler_marks import MarkFit
from algorithms.ruler_solution import Solution, design_matrix, determines_depth, solve_marks

Array: TypeAlias = NDArray[np.float64]

_DOUBT = 1e-3  # probability below which residuals are not accidental
_OPEN_MAGNIFICATION = 1e-2  # a change of the magnification that is found, whatever it is
_CHANGED_SIGMA = 5.0  # standard errors from which a magnification is another one: it fits chance just as well
_DISTINCT = 1.15  # the worst residual must stand out from the next by this factor to be blamed


@dataclass(frozen=True, slots=True)
class ImageMarks:
    """The marks as one image shows them; ``shift`` (dy, dx) is the guess they were looked for with.

    ``stripes`` is the image's evidence about its curtains (:mod:`algorithms.stripe_noise`).
    """

    channel: str
    shift: tuple[float, float]
    marks: tuple[MarkFit, ...]
    stripes: Array


@dataclass(frozen=True, slots=True)
class ImageShift:
    """What the ruler says about one image: its x shift and its magnification relative to the first slice."""

    channel: str
    shift_x_px: float
    shift_x_sigma_px: float
    magnification: float
    magnification_sigma: float


@dataclass(frozen=True, slots=True)
class Zeros:
    """Zeros (k·m,) px with covariance, magnification and its error (k,), for the k images to be solved."""

    position_px: Array
    covariance: Array
    magnification: Array
    magnification_sigma: Array


@dataclass(frozen=True, slots=True)
class Positions:
    """Usable marks of all images, stacked (n,): image, mark, column, and the noise covariance (n, n) px²."""

    image: NDArray[np.intp]
    mark: NDArray[np.intp]
    x_px: Array
    noise: Array


@dataclass(frozen=True, slots=True)
class SliceSolution:
    """The accepted least-squares solution and the positions that entered it.

    ``changed``: the magnification was left free, for it has changed. ``disagreement`` is χ²/dof where the
    marks disagree and none can be blamed (the error is then widened), otherwise 0.
    """

    solution: Solution
    positions: Positions
    shifts: tuple[ImageShift, ...]
    changed: bool
    disagreement: float
    notes: tuple[str, ...]


def stack_positions(images: tuple[ImageMarks, ...], common: float) -> Positions:
    """All usable marks of a slice, and their noise.

    ``common`` (0 … 1) is how alike the curtains are in the images of a slice: they hang on the face, so that
    a mark is off to the same side in all of them.
    """
    rows = [(k, fit) for k, image in enumerate(images) for fit in image.marks if fit.usable]
    image = np.array([k for k, _ in rows], dtype=np.intp)
    mark = np.array([fit.mark for _, fit in rows], dtype=np.intp)
    sigma = np.array([fit.sigma_px for _, fit in rows])
    curtain = sigma * np.sqrt([1.0 - fit.white_share for _, fit in rows])
    noise = np.where(mark[:, None] == mark[None, :], common * np.outer(curtain, curtain), 0.0)
    np.fill_diagonal(noise, sigma**2)
    return Positions(image, mark, np.array([fit.x_px for _, fit in rows]), noise)


def common_curtains(images: tuple[ImageMarks, ...]) -> tuple[float, float]:
    """How alike the curtains of a slice's images are: covariance and power, whose ratio is the correlation.

    Both are sums over all pairs of images, so that those of several slices can be added.
    """
    covariance = power = 0.0
    for one, other in combinations(images, 2):
        pairs = [(a, b) for a, b in zip(one.marks, other.marks, strict=True) if a.usable and b.usable]
        overlaps = [_overlap(a, b) for a, b in pairs]
        covariance += sum(float(a @ b) for a, b in overlaps)
        first = sum(
            float(r @ r) - r.size * a.white_variance for (a, _), (r, _) in zip(pairs, overlaps, strict=True)
        )
        second = sum(
            float(r @ r) - r.size * b.white_variance for (_, b), (_, r) in zip(pairs, overlaps, strict=True)
        )
        power += float(np.sqrt(max(first, 0.0) * max(second, 0.0)))
    return covariance, power


def _overlap(one: MarkFit, other: MarkFit) -> tuple[Array, Array]:
    """The two residuals over the same stretch of the face, both counted from the mark's centre."""
    lag = (round(one.x_px) - one.first_column) - (round(other.x_px) - other.first_column)
    a, b = one.residual[max(lag, 0) :], other.residual[max(-lag, 0) :]
    size = min(a.size, b.size)
    return a[:size], b[:size]


def solve_slice(
    images: tuple[ImageMarks, ...],
    positions: Positions,
    slope_px: Array,
    centre_px: float,
    zeros: Zeros,
    inflation: float,
) -> SliceSolution | None:
    """Depth, shifts and magnifications of a slice, or None when its usable marks do not determine a depth.

    ``slope_px`` (m,) px per nm; ``centre_px`` the reference column that levers count from; ``inflation``
    multiplies all variances (what earlier residuals taught).
    """
    keep = np.arange(positions.image.size)
    notes: list[str] = []
    while determines_depth(positions.image[keep], slope_px[positions.mark[keep]]):
        solved, changed = _hypotheses(images, positions, keep, slope_px, centre_px, zeros, inflation)
        blamed = _blame(solved, positions, keep, slope_px)
        if _plausible(solved) or blamed is None:
            honest, disagreement = _honest(solved)
            kept, shifts = _subset(positions, keep), _shifts(images, honest)
            return SliceSolution(honest, kept, shifts, changed, disagreement, tuple(notes))
        worst = keep[blamed]
        channel, mark = images[positions.image[worst]].channel, positions.mark[worst] + 1
        off = solved.residual[blamed] / solved.residual_sigma[blamed]
        notes.append(f"{channel}: mark {mark} left out: it is {abs(off):.1f} σ off the others")
        keep = np.delete(keep, blamed)
    return None


def _hypotheses(
    images: tuple[ImageMarks, ...],
    positions: Positions,
    keep: NDArray[np.intp],
    slope_px: Array,
    centre_px: float,
    zeros: Zeros,
    inflation: float,
) -> tuple[Solution, bool]:
    """The solution with the known magnification, or that with a free one if only that is plausible
    and the magnification that it finds is clearly another."""
    image, mark = positions.image[keep], positions.mark[keep]
    index = image * slope_px.size + mark
    shift = np.array([item.shift[1] for item in images])
    lever = positions.x_px[keep] + shift[image] - centre_px
    system = (
        positions.x_px[keep] - zeros.position_px[index],
        inflation * positions.noise[np.ix_(keep, keep)],
        zeros.covariance[np.ix_(index, index)],
        design_matrix(image, len(images), slope_px[mark], lever),
        zeros.magnification,
    )
    usual = solve_marks(*system, zeros.magnification_sigma)
    if _plausible(usual) or usual.dof < 2:
        return usual, False
    free = solve_marks(*system, np.full(len(images), _OPEN_MAGNIFICATION))
    changed = _plausible(free) and _has_changed(free, zeros)
    return (free, True) if changed else (usual, False)


def _has_changed(free: Solution, zeros: Zeros) -> bool:
    first = 1 + zeros.magnification.size
    off = free.parameters[first:] - zeros.magnification
    variance = np.diag(free.own + free.zero)[first:] + zeros.magnification_sigma**2
    return bool(np.any(np.abs(off) > _CHANGED_SIGMA * np.sqrt(variance)))


def _plausible(solution: Solution) -> bool:
    return solution.dof <= 0 or bool(chdtrc(solution.dof, solution.chi2) > _DOUBT)


def _blame(solution: Solution, positions: Positions, keep: NDArray[np.intp], slope_px: Array) -> int | None:
    """The mark without which the rest makes sense; None when no single one stands out."""
    if solution.dof < 2:
        return None
    off = np.abs(solution.residual / solution.residual_sigma)
    order = np.argsort(off)
    worst = int(order[-1])
    rest = np.delete(keep, worst)
    enough = determines_depth(positions.image[rest], slope_px[positions.mark[rest]])
    return worst if enough and off[worst] > _DISTINCT * off[order[-2]] else None


def _honest(solution: Solution) -> tuple[Solution, float]:
    """Where the marks disagree and none can be blamed, the error is what their disagreement (χ²/dof) says."""
    if _plausible(solution):
        return solution, 0.0
    factor = solution.chi2 / solution.dof
    return replace(solution, own=factor * solution.own), factor


def _subset(positions: Positions, keep: NDArray[np.intp]) -> Positions:
    noise = positions.noise[np.ix_(keep, keep)]
    return Positions(positions.image[keep], positions.mark[keep], positions.x_px[keep], noise)


def _shifts(images: tuple[ImageMarks, ...], solution: Solution) -> tuple[ImageShift, ...]:
    count = len(images)
    sigma = np.sqrt(np.diag(solution.own + solution.zero))
    own = np.sqrt(np.diag(solution.own))
    value = solution.parameters
    return tuple(
        ImageShift(
            image.channel, float(value[1 + k]), float(sigma[1 + k]),
            float(value[1 + count + k]), float(own[1 + count + k]),
        )
        for k, image in enumerate(images)
    )  # fmt: skip
