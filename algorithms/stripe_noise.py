"""How strong and how wide are the curtains? Restricted likelihood of what the edge fits leave over.

Curtaining multiplies all rows of a column by the same factor, so averaging rows does not reduce it: it is the
noise that limits a ruler. Its relative variance and its correlation along x are found by restricted maximum
likelihood (Patterson & Thompson, *Biometrika* 58 (1971) 545), which knows how much of it the fit itself has
absorbed. The likelihood is kept on a fixed grid of hypotheses: then the evidence of several bars, and of
earlier slices, simply adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, toeplitz

Array: TypeAlias = NDArray[np.float64]

# Correlation length (px) and smoothness of the curtains that are tried. Smooth ones need the finer steps:
# their neighbouring columns are almost equal, and the likelihood tells lengths apart that look alike.
_SHAPES = (
    *((width, True) for width in (0.0, 1.5, 2.5, 4.0, 6.0, 9.0, 13.0, 18.0)),
    *((width, False) for width in (1.5, 6.0)),
)
_VARIANCES = np.concatenate([[0.0], np.geomspace(1e-6, 3e-2, 32)])  # relative; 3e-2 is 17 % rms
EVIDENCE_SHAPE = (len(_SHAPES), _VARIANCES.size)


@dataclass(frozen=True, slots=True)
class Stripes:
    """Curtains: relative variance, correlation length (px), and whether they are smooth (Gaussian)."""

    variance: float
    width_px: float
    smooth: bool


NO_STRIPES = Stripes(0.0, 0.0, smooth=True)


def stripe_covariance(level: Array, stripes: Stripes) -> Array:
    """Covariance (n, n) of a profile of brightness ``level`` (n,) under these curtains."""
    correlation = _correlation(level.size, stripes.width_px, stripes.smooth)
    return stripes.variance * correlation * np.outer(level, level)


@lru_cache(maxsize=256)
def _correlation(count: int, width_px: float, smooth: bool) -> Array:
    lag = np.arange(count) / max(width_px, 1e-3)
    return toeplitz(np.exp(-0.5 * lag**2) if smooth else np.exp(-lag))


def stripe_evidence(residual: Array, variance: Array, level: Array, design: Array) -> Array:
    """Restricted log-likelihood of every hypothesis, ``EVIDENCE_SHAPE``, from one fitted bar.

    ``residual`` (n,), its white ``variance`` (n,), the fitted brightness ``level`` (n,) and the fit's
    ``design`` (p, n). Directions that the fit can absorb are left out; in the others one eigenvalue problem
    per correlation length makes all variances cheap.
    """
    scale = 1.0 / np.sqrt(variance)
    rotation: Array = np.linalg.qr((design * scale).T, mode="complete")[0]
    outside = rotation[:, design.shape[0] :]
    seen = outside.T @ (residual * scale)
    evidence = np.empty(EVIDENCE_SHAPE)
    for row, (width, smooth) in enumerate(_SHAPES):
        shape = _correlation(residual.size, width, smooth) * np.outer(level * scale, level * scale)
        power, axes = eigh(outside.T @ shape @ outside, driver="evd", check_finite=False)
        inflation = 1.0 + np.maximum(power, 0.0)[:, None] * _VARIANCES
        evidence[row] = -0.5 * (np.log(inflation) + (axes.T @ seen)[:, None] ** 2 / inflation).sum(axis=0)
    return evidence


def most_likely(evidence: Array) -> Stripes:
    """The curtains with the largest evidence."""
    row, column = np.unravel_index(int(np.argmax(evidence)), EVIDENCE_SHAPE)
    width, smooth = _SHAPES[row]
    return Stripes(float(_VARIANCES[column]), width, smooth)
