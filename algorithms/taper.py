"""Is a slice a wedge? The ruler's marks read in their upper and in their lower half, slice after slice.

A face that is not parallel to the one before it has another thickness at the top of the marks than at their
bottom. The same half is compared in two slices, so that a mark that is not quite upright cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler import RulerState, read_depth_profile


@dataclass(frozen=True, slots=True)
class HalfDepths:
    """Depth of a face at the lower half of the marks minus that at the upper half, nm, with σ."""

    difference_nm: float
    sigma_nm: float


def read_halves(
    state: RulerState,
    image: NDArray[Any],
    channel: str,
    shift: tuple[float, float],
    expected_nm: float,
) -> HalfDepths | None:
    """The two halves in one ``image`` (h, w) of a known ``channel``; None where either is unreadable."""
    profile = read_depth_profile(state, image, channel, shift, 2, expected_nm)
    (_, upper), (_, lower) = profile
    if not (upper.readable and lower.readable):
        return None
    sigma = float(np.hypot(upper.sigma_nm, lower.sigma_nm))
    return HalfDepths(lower.depth_nm - upper.depth_nm, sigma)


def taper(before: HalfDepths, after: HalfDepths) -> tuple[float, float]:
    """Thickness at the lower half minus that at the upper half, nm, and its standard error."""
    change = after.difference_nm - before.difference_nm
    return change, float(np.hypot(before.sigma_nm, after.sigma_nm))
