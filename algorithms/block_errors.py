"""Standard errors and 95 % bands from lateral blocks that resemble their neighbours.

Leaving out one block at a time gives every block's own share in a figure, its pseudo-value [1]_. A block that
is only a few correlation lengths wide resembles the next one, and sixteen blocks know their own spread
poorly. So the error of the mean counts neighbours in, with Bartlett's weights ½ and ¼ (across a corner),
which is what overlapping batches of 2 x 2 blocks give [2]_; it is scaled so that it is without bias for
blocks that have nothing to do with each other; and the band is Student's, for the degrees of freedom that
this sum of squares has [3]_. A structure as wide as the region cannot be seen from inside, and no estimate
from blocks knows its spread: then there is no band (:func:`is_seen_repeatedly`). ``python -m benchmarks
bands`` counts how often bands hold the truth.

.. [1] R. G. Miller, "The jackknife: a review", Biometrika 61, 1 (1974), equation 1.3.
.. [2] H. R. Künsch, "The jackknife and the bootstrap for general stationary observations", Ann. Statist. 17,
   1217 (1989), section 3.
.. [3] F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
   Bulletin 2, 110 (1946).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Shape = tuple[int, int]
"""Blocks along y and x."""

CONFIDENCE = 0.95
FEWEST_DEGREES = 2.0
"""Of freedom: below it the band would be wider than five standard errors, and says nothing."""


def standard_error(leave_one_out: Floats, shape: Shape) -> Floats:
    """Standard error of figures from those with one block left out each, ``(blocks, …)``, row by row.

    NaN where a figure is, and where there are too few blocks for a band.
    """
    blocks = leave_one_out.shape[0]
    if degrees_of_freedom(shape) < FEWEST_DEGREES:
        return np.full(leave_one_out.shape[1:], np.nan)
    own = (blocks - 1) * (leave_one_out.mean(axis=0) - leave_one_out)
    grid = own.reshape(*shape, *own.shape[1:])
    squares = np.sum(grid * _with_neighbours(_with_neighbours(grid, 0), 1), axis=(0, 1))
    return np.sqrt(np.maximum(squares, 0.0) / (_independent_squares(shape) * blocks))


def band_sigmas(shape: Shape) -> float:
    """Half-width of the 95 % band in standard errors; NaN where there are too few blocks for one."""
    degrees = degrees_of_freedom(shape)
    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2.0)) if degrees >= FEWEST_DEGREES else np.nan


def is_seen_repeatedly(tpcf: Floats, sides_px: Shape) -> bool:
    """Whether the two-point correlation ``(3, lags + 1)`` along x, y, z falls to that of unrelated points
    within a quarter of the region's sides along y and x.

    Taken for granted where the longest lag is shorter than that.
    """
    unrelated = tpcf[0, 0] ** 2
    for curve, side_px in ((tpcf[0], sides_px[1]), (tpcf[1], sides_px[0])):
        quarter = side_px // 4
        if quarter < curve.size and not np.any(curve[: quarter + 1] <= unrelated):
            return False
    return True


def _with_neighbours(grid: Floats, axis: int) -> Floats:
    """Every block and half of the one before and the one behind it."""
    blocks = np.moveaxis(grid, axis, 0)
    total = blocks.copy()
    total[1:] += 0.5 * blocks[:-1]
    total[:-1] += 0.5 * blocks[1:]
    return np.moveaxis(total, 0, axis)


def _independent_squares(shape: Shape) -> float:
    """What the sum of squares would be for blocks that are independent, in the variance of one of them."""
    return float(np.trace(_squares(shape)))


@lru_cache(maxsize=8)
def degrees_of_freedom(shape: Shape) -> float:
    """Of the sum of squares; fewer than blocks less one, for neighbours enter together; 0 for one block."""
    squares = _squares(shape)
    total = np.trace(squares)
    return float(total**2 / np.sum(squares**2)) if total > 1e-9 else 0.0


@lru_cache(maxsize=8)
def _squares(shape: Shape) -> Floats:
    """The quadratic form of the sum of squares about the mean, ``(blocks, blocks)``."""
    along = [_with_neighbours(np.eye(count), 0) for count in shape]
    blocks = shape[0] * shape[1]
    centred = np.eye(blocks) - 1.0 / blocks
    return centred @ np.kron(along[0], along[1]) @ centred
