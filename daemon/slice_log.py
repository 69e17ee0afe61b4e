"""What the log says of slices: a line at the first image of each, and one rich line when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import structlog

from daemon.items import RegisteredSlice, Thickness

_log = structlog.get_logger("slicewatch")


def first_thickness(thickness: Thickness) -> None:
    """The verdict of a slice's first image."""
    _log.info(
        "thickness.first",
        slice=thickness.index,
        thickness_nm=_rounded(thickness.thickness_nm),
        sigma_nm=_rounded(thickness.thickness_sigma_nm),
        channel=thickness.channels[0],
    )


def slice_done(
    registered: RegisteredSlice,
    thickness: Thickness,
    *,
    planes: int,
    waiting: int,
    stages_s: Mapping[str, float],
) -> None:
    """``planes`` are final so far, ``waiting`` files not dealt with; ``stages_s``: where the time went."""
    shifts = registered.shifts.values()
    _log.info(
        "slice.done",
        slice=thickness.index,
        depth_nm=round(thickness.depth_nm, 2),
        thickness_nm=_rounded(thickness.thickness_nm),
        sigma_nm=_rounded(thickness.thickness_sigma_nm),
        source=str(thickness.source),
        shift_px=[f"{s.dy_px:+.2f},{s.dx_px:+.2f}" for s in shifts],
        quality=round(min(s.quality for s in shifts), 2),
        registered_on=sorted({s.source for s in shifts}),
        planes=planes,
        waiting=waiting,
        seconds=round(sum(stages_s.values()), 2),
        stages_s={stage: round(seconds, 2) for stage, seconds in stages_s.items()},
    )


def _rounded(value: float) -> float | None:
    """JSON has no NaN."""
    return round(value, 2) if isfinite(value) else None
