"""Rulers that hand over: in a long run each inclined mark has a lane, and marks follow one another in it.

A mark begins at one end of its lane, travels through it with depth and ends at the other; before it ends the
next has begun, so that a face shows both and the place of the new one can be learned beside the old.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

FOLLOWS_AFTER = 0.7
"""Of a mark's way through its lane, after which the next begins: the rest is for handing over."""
LEAST_OVERLAP_NM = 100.0
"""Ten usual slices, of which an uncertain depth takes half, show both marks at a hand-over."""


@dataclass(frozen=True, slots=True)
class RulerMark:
    """One mark: its centre at the depth where it begins, px, and which way it travels with depth.

    It is there from ``begins_nm`` to ``ends_nm``.
    """

    x_px: float
    direction: int
    begins_nm: float = 0.0
    ends_nm: float = inf

    def is_there(self, depth_nm: float) -> bool:
        """Whether a face at this depth shows the mark."""
        return self.begins_nm <= depth_nm < self.ends_nm


@dataclass(frozen=True, slots=True)
class Lane:
    """Where the marks of one direction travel: start, and px and nm of depth from there to the end."""

    start_px: float
    direction: int
    travel_px: float
    travel_nm: float


def can_follow(travel_px: float, travel_nm: float, mark_px: float, clearance_px: float) -> bool:
    """Whether a lane is long enough for two marks apart, and for seeing both while one hands over."""
    apart_px = FOLLOWS_AFTER * travel_px - mark_px
    return apart_px >= clearance_px and (1.0 - FOLLOWS_AFTER) * travel_nm >= LEAST_OVERLAP_NM


def lane_marks(lane: Lane, phase: float, depth_nm: float) -> tuple[RulerMark, ...]:
    """The marks of a lane down to ``depth_nm``.

    ``phase`` (0 … 1) is how much of its turn the first mark has behind it: lanes of different phase hand over
    at different depths.
    """
    period_nm = FOLLOWS_AFTER * lane.travel_nm
    begins = np.arange(-phase * period_nm, depth_nm, period_nm)
    return tuple(_mark(lane, float(at)) for at in begins)


def _mark(lane: Lane, begins_nm: float) -> RulerMark:
    """A mark that begins at this depth; one that began above the first face is given where that shows it."""
    gone_nm = max(-begins_nm, 0.0)
    gone_px = lane.direction * lane.travel_px * gone_nm / lane.travel_nm
    return RulerMark(lane.start_px + gone_px, lane.direction, max(begins_nm, 0.0), begins_nm + lane.travel_nm)
