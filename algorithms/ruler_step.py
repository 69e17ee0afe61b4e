"""The error of a step: from the depth of the last face to that of this one.

Both depths rest on the learned zeros, and the errors of the zeros are the same for both. They cancel as far
as the two faces answer to the zeros alike: the triples of two slices do, a single image and a triple do not,
nor do two images in which different marks are seen. With the gain g of this depth on its positions, their
noise n and the learned zeros' errors e, the step is off by ``g·(n - e) - d``, where d is the last depth's
error. So besides the variance of d its covariance with the zeros has to be remembered.

That covariance is -C·g with the zeros' covariance C from *before* the slice, also when the slice has taught
the zeros since: what it teaches is what shift, depth and magnification cannot imitate, and of this the least
squares make the depth independent.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from algorithms.ruler_state import RulerState

Array: TypeAlias = NDArray[np.float64]
Used: TypeAlias = tuple[tuple[str, int], ...]
"""Channel and mark of every position (n,) that a depth rests on."""


def step_sigma_nm(state: RulerState, used: Used, gain: Array, own_nm2: float) -> float:
    """Standard error (nm) of a depth minus that of the last face; NaN on the first, before which is none.

    ``gain`` (n,) nm/px: how the depth answers to its positions; ``own_nm2`` its variance by their noise.
    """
    if state.slices == 0:
        return float("nan")
    place = _place(state, used)
    shared = float(gain @ state.zero_covariance[np.ix_(place, place)] @ gain)
    common = float(gain @ state.depth_zeros[place])
    return float(np.sqrt(own_nm2 + max(shared + state.depth_variance + 2.0 * common, 0.0)))


def depth_zeros(state: RulerState, used: Used, gain: Array) -> Array:
    """Covariance (c·m,) nm·px of a depth's error with those of the zeros, by the state before its slice."""
    if state.slices == 0:
        return np.zeros(state.zero_px.size)
    return -state.zero_covariance[:, _place(state, used)] @ gain


def _place(state: RulerState, used: Used) -> NDArray[np.intp]:
    """Where the zeros of these marks stand in the state."""
    count = len(state.marks)
    return np.array([state.channels.index(channel) * count + mark for channel, mark in used], dtype=np.intp)
