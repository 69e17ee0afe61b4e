"""Where a channel's own picture of a mark lies in the frame: compared with the frame's channel every time.

The pictures of a mark at two voltages are registered onto each other across the change of contrast. One such
comparison fixes the offset of a channel's reference when it begins, and a bad first image would leave it bad.
So the comparison is repeated with every image: shift against the frame's channel minus shift against the own
one. Each comparison is absolute, so their mean does not walk; the newest `MEMORY` count, so that a mark which
erodes differently in two channels is followed; comparisons far from the others do not count at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

MEMORY = 32
"""Comparisons, as many as the images that a maintained reference remembers."""
INDEPENDENT = 8
"""Comparisons share the two references' own noise, that of so many images: more do not lower the error."""
OUTLIER_SIGMA = 4.0
OUTLIER_SPREADS = 4.0
"""A comparison is left out beyond so many standard errors and so many typical deviations."""


@dataclass(frozen=True, slots=True)
class ChannelOffset:
    """Comparisons (dy, dx, sigma) in px, the newest last; none: the channel that defines the frame."""

    comparisons: tuple[tuple[float, float, float], ...] = ()


def first_offset(sigma_px: float) -> ChannelOffset:
    """The offset of a reference that was put into the frame with this standard error."""
    return ChannelOffset(((0.0, 0.0, sigma_px),))


def compared(offset: ChannelOffset, dy_px: float, dx_px: float, sigma_px: float) -> ChannelOffset:
    """The offset with one comparison more."""
    return ChannelOffset((*offset.comparisons, (dy_px, dx_px, sigma_px))[-MEMORY:])


def offset_px(offset: ChannelOffset) -> tuple[float, float, float]:
    """(dy, dx) to be added to shifts against the channel's own reference, and their standard error."""
    if not offset.comparisons:
        return 0.0, 0.0, 0.0
    values = np.array(offset.comparisons)
    shifts, sigmas = values[:, :2], np.maximum(values[:, 2], 1e-4)
    kept = _agreeing(shifts, sigmas)
    weights = np.where(kept, sigmas**-2.0, 0.0)
    mean = weights @ shifts / weights.sum()
    chi2 = float((weights[:, None] * (shifts - mean) ** 2).sum())
    widening = max(1.0, chi2 / max(2 * (int(kept.sum()) - 1), 1))
    fewest = float(sigmas[kept].min()) / np.sqrt(INDEPENDENT)
    sigma = max(float(np.sqrt(widening / weights.sum())), float(fewest))
    return float(mean[0]), float(mean[1]), sigma


def _agreeing(shifts: Floats, sigmas: Floats) -> NDArray[np.bool_]:
    """Which comparisons (n,) lie near the weighted median of all; both of two."""
    centre = np.array([_weighted_median(column, sigmas**-2.0) for column in shifts.T])
    deviation = np.abs(shifts - centre).max(axis=1) / sigmas
    return deviation <= max(OUTLIER_SIGMA, OUTLIER_SPREADS * float(np.median(deviation)))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])
