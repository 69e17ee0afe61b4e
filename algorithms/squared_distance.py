"""Exact Euclidean distances to a set of voxels or pixels, squared and bounded: whole numbers and fast.

One axis after the other, each as a lower envelope restricted to the bound (Felzenszwalb & Huttenlocher,
Theory of Computing 8, 415 (2012), section 2). Distances are between the centres of voxels, in voxels; what
lies outside of the array is no target. The numbers are as short as the bound allows, and lines are taken in
bunches that stay in the cache.
"""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Squares = NDArray[Any]
"""uint8, uint16 or uint32, whichever holds the bound."""

LARGEST_REACH: dict[Any, int] = {np.uint8: 10, np.uint16: 180, np.uint32: 46_340}
"""Largest bound r for which (r + 1)² + r² fits the type."""
_CACHED_BYTES = 1 << 18


def squared_distance(target: NDArray[np.bool_], reach: int) -> Squares:
    """Squared distance to the nearest target, ``target``'s shape: exact up to ``reach``, above reach² beyond.

    Two or three axes. Raises ValueError for a reach outside 1 … 46 340.
    """
    gap = _gap_in_row(target, reach)
    squares = np.multiply(gap, gap, out=gap)
    if target.ndim == 2:
        _lower(squares, reach)
        return squares
    for plane in squares:
        _lower(plane, reach)
    lower_across_planes(squares, reach)
    return squares


def squared_distance_in_planes(target: NDArray[np.bool_], reach: int) -> Squares:
    """The same within every plane ``(z, y, x)`` by itself; :func:`lower_across_planes` makes it whole."""
    gap = _gap_in_row(target, reach)
    squares = np.multiply(gap, gap, out=gap)
    for plane in squares:
        _lower(plane, reach)
    return squares


def lower_across_planes(squares: Squares, reach: int) -> None:
    """Take the third axis into squared distances within planes, in place; every row y is by itself."""
    for row in range(squares.shape[1]):
        _lower(squares[:, row], reach)


def is_nearer_than(target: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """Where a target ``(z, y, x)`` lies at a squared distance below ``limit``.

    Of the last axis only the answer is taken, which is half of the work. Raises ValueError for a limit beyond
    the square of the largest reach.
    """
    reach = max(1, isqrt(limit))
    squares = squared_distance_in_planes(target, reach)
    nearer = np.zeros(target.shape, dtype=np.bool_)
    for row in range(target.shape[1]):
        _mark_across(squares[:, row], nearer[:, row], limit, reach)
    return nearer


def _mark_across(squares: Squares, nearer: NDArray[np.bool_], limit: int, reach: int) -> None:
    """Mark in ``nearer`` (z, x) what lies below the limit from squared distances within planes."""
    source = squares.copy()
    if source.min(initial=reach**2 + 1) > reach**2:
        return
    found, buffer = np.less(source, limit), np.empty(source.shape, dtype=np.bool_)
    for step in range(1, min(reach, source.shape[0] - 1) + 1):
        rest, room = limit - step * step, buffer[:-step]
        if rest <= 0:
            break
        np.logical_or(found[step:], np.less(source[:-step], rest, out=room), out=found[step:])
        np.logical_or(found[:-step], np.less(source[step:], rest, out=room), out=found[:-step])
    nearer[:] = found


def squares_type(reach: int) -> Any:
    """The shortest unsigned type for a bound. Raises ValueError for a bound outside 1 … 46 340."""
    for kind, largest in LARGEST_REACH.items():
        if 1 <= reach <= largest:
            return kind
    raise ValueError(f"squared distance: reach {reach}; give 1 to {max(LARGEST_REACH.values())}")


def _gap_in_row(target: NDArray[np.bool_], reach: int) -> Squares:
    """Distance to the nearest target along the last axis, at most reach + 1: steps of 1, 2, 4, … add up."""
    kind = squares_type(reach)
    gap = np.where(target, kind(0), kind(reach + 1))
    step, width = 1, target.shape[-1]
    while step < min(2 * reach, width):
        np.minimum(gap[..., step:], gap[..., :-step] + kind(step), out=gap[..., step:])
        np.minimum(gap[..., :-step], gap[..., step:] + kind(step), out=gap[..., :-step])
        step *= 2
    return np.minimum(gap, kind(reach + 1), out=gap)


def _lower(plane: Squares, reach: int) -> None:
    """Lower envelope along the first axis of ``(n, m)``, in place."""
    columns = max(64, _CACHED_BYTES // max(1, plane.shape[0] * plane.itemsize))
    for first in range(0, plane.shape[1], columns):
        _lower_columns(plane[:, first : first + columns], reach)


def _lower_columns(plane: Squares, reach: int) -> None:
    kind = plane.dtype.type
    source = plane.copy()
    if source.min(initial=reach**2 + 1) > reach**2:
        return  # no target is near
    nearest = source.copy()
    buffer = np.empty_like(source)
    steps = min(reach, plane.shape[0] - 1, isqrt(int(source.max(initial=0))))
    for step in range(1, steps + 1):
        if not step & (step - 1) and step * step >= nearest.max():
            break  # no farther row can be nearer
        rise, room = kind(step * step), buffer[:-step]
        np.minimum(nearest[step:], np.add(source[:-step], rise, out=room), out=nearest[step:])
        np.minimum(nearest[:-step], np.add(source[step:], rise, out=room), out=nearest[:-step])
    plane[:] = nearest
