"""Where things are on the first face: px of the first slice's reference image, positions not rounded.

From top to bottom: the unmilled surface, the protective layer with the ruler, the nanoporous sample; at the
right a wall with a platinum pad that carries the fiducial cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.marks import Box
from daemon.emulator.plan import Plan, Stream, pixel_y_nm, random_stream, recession_px_per_nm
from daemon.emulator.ruler_lanes import Lane, RulerMark, can_follow, lane_marks
from daemon.emulator.settings import EmulatorSettings, RulerDesign
from daemon.errors import ConfigurationError

WIDTHS_NM = (100.0, 50.0)
"""Widest and narrowest mark that the layout chooses by itself."""
ANGLES_DEG = (45.0, 15.0)
"""Steepest and flattest incline that the layout chooses by itself."""
CLEARANCE_PX = 14.0
"""Least free distance between marks, and to the sample's border, at any depth of the run."""
BLUR_PX = 4.0
"""Distance from a border at which nothing of what is beyond it is seen any more."""
SMALLEST_ROI_PX = 32

Offsets = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RulerLayout:
    """The ruler; marks span rows ``y0_px`` to ``y1_px``.

    ``keeps_clear_nm`` is the depth down to which no mark touches another or leaves the sample.
    """

    marks: tuple[RulerMark, ...]
    mark_width_nm: float
    angle_deg: float
    y0_px: float
    y1_px: float
    keeps_clear_nm: float


@dataclass(frozen=True, slots=True)
class CrossLayout:
    """A fiducial cross, px: centre (y, x), half length and width of its arms along (y, x)."""

    centre_px: tuple[float, float]
    arm_px: tuple[float, float]
    width_px: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the first image's content leaves it at each border during the run, px; negative: not at all."""

    top: float
    bottom: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The first face. ``roi`` = (x, y, width, height) whole px lies inside the sample in every image."""

    edge_y_px: float
    layer_bottom_px: float
    wall_x_px: float
    pad: Box
    face_cross: CrossLayout | None
    surface_cross: CrossLayout | None
    ruler: RulerLayout | None
    roi: tuple[int, int, int, int]


def lay_out(settings: EmulatorSettings, plan: Plan) -> Layout:
    """Place everything so that it stays inside the image for the whole run if the image allows."""
    sample, height, width = settings.sample, settings.height, settings.width
    offset = random_stream(settings, Stream.LAYOUT).uniform(-0.5, 0.5, 4)
    reach = _reach(plan)
    edge = sample.surface_share * height + reach.top + offset[0]
    surface_cross = _surface_cross(settings, plan) if sample.surface_fiducial else None
    if surface_cross is not None:
        edge = max(edge, surface_cross.centre_px[0] + surface_cross.arm_px[0] + _sinking_px(plan) + 4.0)
    bottom = edge + sample.layer_share * height
    wall = (1.0 - sample.pad_share) * width + offset[1]
    pad, cross = _pad_and_cross(settings, bottom, wall, reach, offset[2:])
    ruler = None if settings.ruler is None else _ruler(settings, settings.ruler, plan, (edge, bottom, wall))
    return Layout(
        edge,
        bottom,
        wall,
        pad,
        cross if sample.face_fiducial else None,
        surface_cross,
        ruler,
        _roi(settings, bottom, wall, reach),
    )


def _reach(plan: Plan) -> Reach:
    """A content at y in the first image is at y − dy in a later one: how far that leads over each border."""
    high, low = plan.shifts_px.max(axis=(0, 1)), plan.shifts_px.min(axis=(0, 1))
    return Reach(top=float(high[0]), bottom=float(-low[0]), left=float(high[1]), right=float(-low[1]))


def _roi(settings: EmulatorSettings, bottom: float, wall: float, reach: Reach) -> tuple[int, int, int, int]:
    """The sample, less a margin for the drift of the run and the blur at its borders."""
    x0, y0 = int(np.ceil(reach.left + BLUR_PX)), int(np.ceil(bottom + BLUR_PX))
    x1, y1 = int(wall - BLUR_PX), int(settings.height - 1 - reach.bottom - BLUR_PX)
    if min(x1 - x0, y1 - y0) < SMALLEST_ROI_PX:
        raise ConfigurationError(
            f"the marks and the drift of {settings.slices} slices leave a sample of {y1 - y0}×{x1 - x0} px",
            where=f"emulated image of {settings.height}×{settings.width} px",
            remedy="Ask for larger images or fewer slices.",
        )
    return x0, y0, x1 - x0, y1 - y0


def _pad_and_cross(
    settings: EmulatorSettings, bottom: float, wall: float, reach: Reach, offset: Offsets
) -> tuple[Box, CrossLayout]:
    """A square pad in the wall, on the face, and the cross milled into it."""
    right = settings.width - 1 - reach.right
    half_x = (right - wall) / 2 - BLUR_PX
    half_y = half_x * settings.pixel_size_nm / pixel_y_nm(settings)
    y = bottom + half_y + 8.0 + float(offset[0])
    x = (wall + right) / 2 + float(offset[1])
    pad = Box(y - half_y, y + half_y, x - half_x, x + half_x)
    cross = CrossLayout((y, x), (0.72 * half_y, 0.72 * half_x), (0.3 * half_y, 0.3 * half_x))
    return pad, cross


def _surface_cross(settings: EmulatorSettings, plan: Plan) -> CrossLayout:
    """A cross on the unmilled surface, foreshortened as that is seen, clear of the image's top."""
    arm_x = max(20.0, 0.05 * settings.width)
    arm_y = max(arm_x * recession_px_per_nm(settings) * settings.pixel_size_nm, 12.0)
    top = max(float(plan.surface_shifts_px[..., 0].max()), 0.0)
    return CrossLayout((top + arm_y + 6.0, 0.35 * settings.width), (arm_y, arm_x), (0.4 * arm_y, 0.4 * arm_x))


def _sinking_px(plan: Plan) -> float:
    """How far surface marks come down to the face's upper edge during the run."""
    return float((plan.shifts_px - plan.surface_shifts_px)[..., 0].max())


def _ruler(
    settings: EmulatorSettings, design: RulerDesign, plan: Plan, borders: tuple[float, float, float]
) -> RulerLayout:
    """The ruler between the face's edge and the layer's bottom, from the image's left border to the wall."""
    edge, bottom, wall = borders
    left = max(_reach(plan).left, 0.0)
    room_px = wall - left
    width_nm, angle_deg, travel_px = _fit(settings, design, plan, room_px)
    gaps_px = _closing_gaps(design.directions) * travel_px + CLEARANCE_PX
    mark_px = width_nm / settings.pixel_size_nm
    spare = room_px - gaps_px.sum() - mark_px * len(design.directions)
    gaps_px += max(spare, 0.0) / len(gaps_px)
    centres = left + np.cumsum(gaps_px[:-1]) + mark_px * (np.arange(len(design.directions)) + 0.5)
    marks = tuple(RulerMark(float(x), d) for x, d in zip(centres, design.directions, strict=True))
    y1 = edge + design.mark_height_share * (bottom - edge)
    clear_nm = float(travel_px * settings.pixel_size_nm / np.tan(np.radians(angle_deg)))
    depth_nm = float(plan.depths_nm[-1])
    if _hands_over(design, clear_nm, depth_nm) and can_follow(travel_px, clear_nm, mark_px, CLEARANCE_PX):
        marks, clear_nm = _following(marks, travel_px, clear_nm, depth_nm), depth_nm
    return RulerLayout(marks, width_nm, angle_deg, edge, y1, clear_nm)


def _hands_over(design: RulerDesign, clear_nm: float, depth_nm: float) -> bool:
    """Whether marks follow one another: not in a short run, nor where the angle is the caller's."""
    return design.angle_deg is None and clear_nm < depth_nm - 1e-6


def _following(
    marks: tuple[RulerMark, ...], travel_px: float, travel_nm: float, depth_nm: float
) -> tuple[RulerMark, ...]:
    """Every inclined mark replaced by those that follow one another in its lane, turn by turn."""
    lanes = [Lane(mark.x_px, mark.direction, travel_px, travel_nm) for mark in marks if mark.direction]
    parallel = tuple(mark for mark in marks if not mark.direction)
    turns = (lane_marks(lane, number / len(lanes), depth_nm) for number, lane in enumerate(lanes))
    return (*parallel, *(mark for turn in turns for mark in turn))


def _fit(
    settings: EmulatorSettings, design: RulerDesign, plan: Plan, room_px: float
) -> tuple[float, float, float]:
    """Mark width (nm), angle (deg) and the travel (px) that the layout leaves room for.

    As asked for; what was left open is as wide and as steep as the run's depth allows.
    """
    pixel, depth_nm = settings.pixel_size_nm, float(plan.depths_nm[-1])
    closing = float(_closing_gaps(design.directions).sum())
    wanted_angle = design.angle_deg if design.angle_deg is not None else ANGLES_DEG[0]

    def room_for_travel(width_nm: float) -> float:
        gaps = CLEARANCE_PX * (len(design.directions) + 1)
        return max((room_px - gaps - len(design.directions) * width_nm / pixel) / closing, 0.0)

    need_px = float(np.tan(np.radians(wanted_angle))) * depth_nm / pixel
    widest = (room_px - CLEARANCE_PX * (len(design.directions) + 1) - need_px * closing) * pixel
    fitting = _between(widest / len(design.directions), WIDTHS_NM)
    width_nm = design.mark_width_nm if design.mark_width_nm is not None else fitting
    travel_px = room_for_travel(width_nm)
    steepest = float(np.degrees(np.arctan2(travel_px * pixel, max(depth_nm, 1e-9))))
    angle = design.angle_deg if design.angle_deg is not None else _between(steepest, ANGLES_DEG)
    used_px = min(travel_px, float(np.tan(np.radians(angle))) * depth_nm / pixel)
    return width_nm, angle, used_px


def _between(value: float, limits: tuple[float, float]) -> float:
    """The value, or the nearer of the limits (high, low)."""
    return max(min(value, limits[0]), limits[1])


def _closing_gaps(directions: tuple[int, ...]) -> np.ndarray:
    """How much each gap closes per unit of travel, borders included: (marks + 1,)."""
    walled = np.array([0, *directions, 0])
    return np.clip(walled[:-1] - walled[1:], 0, None).astype(np.float64)
