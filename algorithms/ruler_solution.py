"""From the positions of a ruler's marks to shift, depth and magnification: least squares with a memory.

Mark m of image k of a slice obeys (lengths in px, depth in nm)::

    x_km = zero_km - shift_k + slope_m · depth + magnification_k · lever_km + noise_km

``slope`` is 0 for a parallel mark and ±tan(angle)/pixel for an inclined one, ``lever`` the distance from
the centre of the ruler. ``zero`` is where the mark stood at depth 0. Nobody knows it better than the images
do, so it is *learned*: it has a covariance, the first image fixes it, and every later slice improves the
part that shift, depth and magnification cannot imitate (a Kalman filter, e.g. Särkkä, *Bayesian Filtering
and Smoothing* (2013), §4.3, with those parameters as unknowns without a prior). The part that they can
imitate stays as the first image left it: it is one constant error of all depths, and cancels in every
thickness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solution:
    """Parameters (p,): depth_nm, then shift_px of each image, then magnification of each image.

    ``own`` (p, p) is their covariance from the noise of this slice, ``zero`` (p, p) that from the learned
    zeros, which all slices share; ``depth_gain`` (n,) nm/px is how the depth answers to each position.
    ``residual`` and ``residual_sigma`` (n,) px: what each position is and should be off by.
    """

    parameters: Array
    own: Array
    zero: Array
    depth_gain: Array
    residual: Array
    residual_sigma: Array
    chi2: float
    dof: int


_UNKNOWN_PX: Final = 1e3


def solve_marks(
    offset_px: Array,
    noise: Array,
    zero_covariance: Array,
    design: Array,
    magnification: Array,
    magnification_sigma: Array,
) -> Solution:
    """Generalised least squares for n positions, taken relative to their zeros, of k images.

    ``noise`` and ``zero_covariance`` (n, n) px², ``design`` (n, 1 + 2k) from :func:`design_matrix`;
    ``magnification ± sigma`` (k,) enter as observations, so that two marks are enough. ``dof`` counts the
    positions beyond depth and shifts. The caller makes sure that :func:`determines_depth` holds.
    """
    count, images = offset_px.size, magnification.size
    full = np.vstack([design, np.hstack([np.zeros((images, 1 + images)), np.eye(images)])])
    own = np.zeros((count + images, count + images))
    own[:count, :count] = noise
    own[count:, count:] = np.diag(magnification_sigma**2)
    shared = np.zeros_like(own)
    shared[:count, :count] = zero_covariance
    weight = np.linalg.inv(own + shared)
    # An image without a usable mark tells nothing: its shift is left at 0, and unknown.
    blind = np.diag((~full.any(axis=0)).astype(np.float64))
    covariance = np.linalg.inv(full.T @ weight @ full + blind / _UNKNOWN_PX**2)
    gain = covariance @ full.T @ weight
    observed = np.concatenate([offset_px, magnification])
    parameters = gain @ observed
    residual = observed - full @ parameters
    spread = np.diag(own + shared - full @ covariance @ full.T)[:count]
    return Solution(
        parameters=parameters,
        own=gain @ own @ gain.T + blind * _UNKNOWN_PX**2,
        zero=gain @ shared @ gain.T,
        depth_gain=gain[0, :count],
        residual=residual[:count],
        residual_sigma=np.sqrt(np.maximum(spread, 1e-24)),
        chi2=float(residual @ weight @ residual),
        dof=count - images - 1,
    )


def design_matrix(image: NDArray[np.intp], images: int, slope: Array, lever_px: Array) -> Array:
    """(n, 1 + 2k): how n positions on images ``image`` (n,) answer to depth, k shifts, k magnifications."""
    member = (image[:, None] == np.arange(images)).astype(np.float64)
    return np.hstack([slope[:, None], -member, member * lever_px[:, None]])


def determines_depth(image: NDArray[np.intp], slope: Array) -> bool:
    """Whether some image has marks of two different slopes: only then depth and shift can be told apart."""
    return any(bool(np.ptp(slope[image == k]) > 0.0) for k in np.unique(image))


def learn_zeros(
    zero_px: Array,
    covariance: Array,
    seen: NDArray[np.intp],
    observed_px: Array,
    noise: Array,
    design: Array,
) -> tuple[Array, Array]:
    """Improve zeros (m,) and their covariance (m, m) by observations (n,) of the zeros ``seen`` (n,).

    ``design`` (n, p) spans what is *not* known about this slice; p may be 0 (the first slice: everything is
    known by definition). ``observed_px`` has everything known taken off; ``noise`` is its covariance (n, n).
    """
    weight = np.linalg.inv(covariance[np.ix_(seen, seen)] + noise)
    if design.shape[1]:
        # px, nm and ratios have to be of one scale for the pseudo-inverse
        scaled = design / np.maximum(np.abs(design).max(axis=0), 1e-30)
        through = weight @ scaled
        inner = np.linalg.pinv(scaled.T @ through, rcond=1e-10, hermitian=True)
        weight = weight - through @ inner @ through.T
    gain = covariance[:, seen] @ weight
    learned = covariance - gain @ covariance[seen, :]
    return zero_px + gain @ (observed_px - zero_px[seen]), 0.5 * (learned + learned.T)
