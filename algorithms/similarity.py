"""Slice thickness from how alike consecutive faces are, for runs without a ruler.

Faces that are close look alike; the correlation falls with their distance in a way that is the sample's own.
The curve is learned from the run itself: faces j slices apart are j mean thicknesses apart *on average*.
Read backwards, it turns the correlation of two faces into their distance, and several pairs (i, i-1),
(i, i-2), … place a face by least squares. After Hanslovsky, Bogovic & Saalfeld, *ISBI* (2015) 507–511, made
causal: no face waits for later ones.

What it cannot know is the scale: the mean thickness is what the caller says it is, and a drift of the mean
looks like a change of the sample. The scatter around the curve gives the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

Array: TypeAlias = NDArray[np.float64]

REACH = 4
"""Faces that a new face is compared with."""
_SMOOTHING_PX = 1.5
_MILLING_SPREAD = 0.31  # of the mean thickness: 3.12 of 10.16 nm, Sardhara et al.
_FEWEST_PAIRS = 6  # of every distance before the curve is used


@dataclass(frozen=True, slots=True)
class SimilarityState:
    """The last faces (newest last, ≤ REACH, float32), where they lie, and the curve learned so far.

    ``count``, ``mean``, ``squares`` (REACH,) belong to pairs that are 1 … REACH slices apart. The mean of all
    estimates so far must be the mean thickness; what it is instead is taken out.
    """

    mean_thickness_nm: float
    estimates: int
    mean_estimate_nm: float
    faces: tuple[NDArray[np.float32], ...]
    depths_nm: tuple[float, ...]
    count: Array
    mean: Array
    squares: Array


@dataclass(frozen=True, slots=True)
class SimilarThickness:
    """Distance of a face to the one before, nm, NaN while the curve is being learned or when faces that are a
    slice apart are no longer alike; ``correlations`` with up to REACH faces before, nearest first."""

    thickness_nm: float
    sigma_nm: float
    correlations: tuple[float, ...]


def start_similarity(mean_thickness_nm: float) -> SimilarityState:
    """Nothing seen yet; ``mean_thickness_nm`` sets the scale (usually the target). Must be above 0."""
    if not mean_thickness_nm > 0.0:
        raise ValueError(f"the mean thickness is {mean_thickness_nm} nm: similarity needs it for its scale")
    zeros = np.zeros(REACH)
    return SimilarityState(mean_thickness_nm, 0, mean_thickness_nm, (), (), zeros, zeros, zeros)


def add_face(state: SimilarityState, face: NDArray[np.generic]) -> tuple[SimilarityState, SimilarThickness]:
    """Compare a registered face (h, w), the same region every time, with those before it."""
    levelled = _levelled(face)
    correlations = np.array([float(np.mean(levelled * old)) for old in reversed(state.faces)])
    learned = _learn(state, correlations)
    raw, sigma = _distance(learned, correlations)
    learned = _rescale(learned, raw)
    distance = raw * learned.mean_thickness_nm / learned.mean_estimate_nm
    step = distance if np.isfinite(distance) else state.mean_thickness_nm
    depth = (state.depths_nm[-1] if state.depths_nm else 0.0) + step * bool(state.depths_nm)
    after = replace(
        learned, faces=(*state.faces, levelled)[-REACH:], depths_nm=(*state.depths_nm, depth)[-REACH:]
    )
    return after, SimilarThickness(distance, sigma, tuple(float(value) for value in correlations))


def _levelled(face: NDArray[np.generic]) -> NDArray[np.float32]:
    """Mean 0, variance 1, smoothed: neither brightness nor contrast nor pixel noise counts as distance."""
    values = np.asarray(gaussian_filter(face.astype(np.float32), _SMOOTHING_PX), dtype=np.float32)
    values -= values.mean()
    return values / max(float(values.std()), 1e-6)


def _learn(state: SimilarityState, correlations: Array) -> SimilarityState:
    """Welford's update of the mean correlation at every number of slices."""
    new = np.zeros(REACH)
    new[: correlations.size] = correlations
    seen = np.arange(REACH) < correlations.size
    count = state.count + seen
    mean = state.mean + np.where(seen, (new - state.mean) / np.maximum(count, 1.0), 0.0)
    squares = state.squares + np.where(seen, (new - state.mean) * (new - mean), 0.0)
    return replace(state, count=count, mean=mean, squares=squares)


def _rescale(state: SimilarityState, raw_nm: float) -> SimilarityState:
    """The running mean of the uncorrected estimates; it starts as ten slices of the mean thickness."""
    if not np.isfinite(raw_nm):
        return state
    count = state.estimates + 1
    mean = state.mean_estimate_nm + (raw_nm - state.mean_estimate_nm) / (count + 10)
    return replace(state, estimates=count, mean_estimate_nm=mean)


def _distance(state: SimilarityState, correlations: Array) -> tuple[float, float]:
    """Distance to the last face (nm) from all pairs that still tell distances apart, and its error."""
    known = int(np.sum(state.count >= _FEWEST_PAIRS))
    scatter = np.sqrt(state.squares[:known] / np.maximum(state.count[:known] - 1.0, 1.0))
    curve = np.minimum.accumulate(np.append(1.0, state.mean[:known]))
    falls = -np.diff(curve) > 2.0 * scatter / np.sqrt(np.maximum(state.count[:known], 1.0))
    reach = known if falls.all() else int(np.argmin(falls))
    if reach < 2 or correlations.size == 0:
        return float("nan"), float("nan")
    usable = min(reach - 1, correlations.size)  # the last fall is needed beyond the last pair
    shape = PchipInterpolator(state.mean_thickness_nm * np.arange(reach + 1), curve[: reach + 1])
    distances = np.linspace(0.0, reach * state.mean_thickness_nm, 512)
    table = np.asarray(shape(distances))
    found = np.interp(-correlations[:usable], -table, distances)
    steepness = -np.asarray(shape.derivative()(state.mean_thickness_nm * np.arange(1, usable + 1)))
    behind = state.depths_nm[-1] - np.array(state.depths_nm[::-1][:usable])
    # The scatter of neighbours contains the milling's own, which only a ruler could tell: the published one
    # is taken off. A pair that is farther apart also has more of the structure's chance in it.
    mean = state.mean_thickness_nm
    chance = np.maximum((scatter[0] / steepness[0]) ** 2 - (_MILLING_SPREAD * mean) ** 2, (0.1 * mean) ** 2)
    sigma = np.sqrt(chance * np.arange(1, usable + 1))
    weight = sigma**-2
    best = float(np.sum(weight * (found - behind)) / weight.sum())
    return max(best, 0.0), float(sigma[0])
