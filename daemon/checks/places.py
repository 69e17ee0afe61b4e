"""What was placed on the first image: region of interest, fiducials, ruler marks; and the voxels' size."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from algorithms.reposition import place_all
from daemon.checks.finding import Finding, fail, ok, warn
from daemon.checks.images import FirstImages
from daemon.config import Configuration, FiducialSection, MarkSection, RulerSection
from daemon.geometry import face_geometry
from daemon.items import Frame
from daemon.stages.growing import longest_displacement

_SMALLEST_REGION_PX = 128
"""A side below this holds fewer than four of the coarse ligaments at usual pixel sizes."""
_SCATTER = 3.12 / 10.16
"""Of the thickness of slices, standard deviation over mean: the published run's (SCIENCE §1)."""
_SLICES, _RUNS = 300, 20
_DISPLACED_SHARE = 0.01
_UNSEEN = "Check again when there is a first image."


def check_region(configuration: Configuration, images: FirstImages) -> Finding:
    """The region of interest lies inside the image and is large enough to measure something."""
    frame, roi = images.reference(configuration), configuration.geometry.roi
    if frame is None:
        return warn("region", "cannot be compared with an image yet", _UNSEEN)
    height, width = frame.image.shape
    right, bottom = roi.x + (roi.width or width - roi.x), roi.y + (roi.height or height - roi.y)
    if right > width or bottom > height or roi.x >= width or roi.y >= height:
        text = f"x {roi.x}…{right}, y {roi.y}…{bottom} px leaves the image of {width} × {height} px"
        return fail("region", text, "Correct geometry.roi; width or height 0 means to the edge.")
    text = f"{right - roi.x} × {bottom - roi.y} px of the image's {width} × {height} px"
    if min(right - roi.x, bottom - roi.y) < _SMALLEST_REGION_PX:
        return warn("region", f"only {text}", "Metrics of so few ligaments mean little: choose a larger one.")
    return ok("region", text)


def check_fiducials(configuration: Configuration, images: FirstImages) -> Finding:
    """Every fiducial lies inside the image, with room to search."""
    fiducials, frame = configuration.fiducials, images.reference(configuration)
    if not fiducials:
        text = "none: images are registered on the face itself, which drifts with the structure"
        return warn("fiducials", text, "Configure [[fiducials]] if there is a mark beside the face.")
    if frame is None:
        return warn("fiducials", f"{len(fiducials)}, not compared with an image yet", _UNSEEN)
    outside = [number for number, mark in enumerate(fiducials, 1) if not _inside(mark, frame, 0)]
    if outside:
        text = f"fiducial {_listed(outside)} leaves the image of {_size(frame)}"
        return fail("fiducials", text, "Correct x, y, width, height: px in the reference channel's image.")
    tight = [n for n, mark in enumerate(fiducials, 1) if not _inside(mark, frame, mark.search_px // 2)]
    if tight:
        text = (
            f"fiducial {_listed(tight)} is nearer to the edge than half its search_px: drift may carry it out"
        )
        return warn("fiducials", text, "Lower search_px, or choose a mark further inside.")
    return ok("fiducials", f"{len(fiducials)} inside the image: {', '.join(mark.on for mark in fiducials)}")


def check_ruler(configuration: Configuration, images: FirstImages, slices: int) -> Finding:
    """Every ruler mark lies inside the image, and stays there for ``slices`` slices (0: unknown)."""
    ruler, frame = configuration.ruler, images.reference(configuration)
    if ruler is None:
        target = configuration.geometry.target_thickness_nm
        text = f"none: thickness is not measured but ASSUMED to be {target:g} nm"
        return warn("ruler", text, "Configure [ruler] if marks were milled into the protective layer.")
    if frame is None:
        return warn("ruler", f"{len(ruler.marks)} marks, not compared with an image yet", _UNSEEN)
    height, width = frame.image.shape
    outside = [n for n, m in enumerate(ruler.marks, 1) if m.x >= width or m.y + m.height > height]
    if outside:
        text = f"mark {_listed(outside)} leaves the image of {_size(frame)}"
        return fail("ruler", text, "Correct x, y and height of [[ruler.marks]]: px in the first slice.")
    reach = _readable_slices(configuration, ruler, frame)
    if reach < (slices or 1):
        text = f"an inclined mark reaches the image's edge or another mark after about {reach} slices"
        return warn("ruler", text, "Thickness is assumed from then on; use a smaller angle or other marks.")
    end = f", readable for about {reach} slices" if reach < 1_000_000 else ""
    return ok("ruler", f"{len(ruler.marks)} marks of {ruler.mark_width_nm:g} nm at {ruler.angle_deg:g}°{end}")


def check_grid(configuration: Configuration) -> Finding:
    """Slices of the target thickness, scattered as in real milling, find their places in the volume free."""
    grid_nm, target_nm = configuration.volume.grid_nm, configuration.geometry.target_thickness_nm
    limit_nm, apart_nm = longest_displacement(target_nm), _foreseen_displacements(grid_nm, target_nm)
    share = float(np.mean(apart_nm > limit_nm))
    about = f"{grid_nm:g} nm voxels for slices of {target_nm:g} nm"
    if share <= _DISPLACED_SHARE:
        return ok("grid", f"{about}: slices stay within {limit_nm:g} nm of their depth")
    text = (
        f"{about}: {share:.0%} of {_SLICES} slices would stand more than {limit_nm:g} nm from their depth, "
        f"for their places would be taken; on average a slice {apart_nm.mean():.1f} nm"
    )
    remedy = f"Set volume.grid_nm to at most {limit_nm:g}, half of geometry.target_thickness_nm."
    return warn("grid", text, remedy)


def _foreseen_displacements(grid_nm: float, target_nm: float) -> NDArray[np.float64]:
    """Distances in nm of ``_RUNS`` × ``_SLICES`` slices from their depth; drawn alike every time."""
    shape = _SCATTER**-2
    draws = np.random.default_rng(0).gamma(shape, target_nm / shape, (_RUNS, _SLICES))
    depths_nm = np.cumsum(draws, axis=1)
    planes = np.asarray([place_all(run.tolist(), grid_nm) for run in depths_nm])
    return np.abs(planes * grid_nm - depths_nm)


def _readable_slices(configuration: Configuration, ruler: RulerSection, frame: Frame) -> int:
    """Slices of the target thickness until an inclined mark meets the edge or the mark it moves towards."""
    pixel_nm = face_geometry(configuration, frame).pixel_x_nm
    step_px = configuration.geometry.target_thickness_nm * math.tan(math.radians(ruler.angle_deg)) / pixel_nm
    width_px = ruler.mark_width_nm / pixel_nm
    rooms = [
        _room_px(mark, ruler.marks, frame.image.shape[1], width_px) for mark in ruler.marks if mark.direction
    ]
    return int(min(rooms) / step_px)


def _room_px(mark: MarkSection, marks: Iterable[MarkSection], width: int, mark_px: float) -> float:
    """How far a mark travels freely; two marks that move towards each other meet half-way."""
    rooms = [((width - mark.x) if mark.direction > 0 else mark.x) - mark_px / 2]
    for other in marks:
        distance = (other.x - mark.x) * mark.direction
        closing = mark.direction - other.direction
        if distance > 0 and closing:
            rooms.append((distance - mark_px) / abs(closing))
    return max(0.0, min(rooms))


def _inside(mark: FiducialSection, frame: Frame, margin: int) -> bool:
    height, width = frame.image.shape
    return (
        mark.x >= margin
        and mark.y >= margin
        and mark.x + mark.width + margin <= width
        and mark.y + mark.height + margin <= height
    )


def _size(frame: Frame) -> str:
    height, width = frame.image.shape
    return f"{width} × {height} px"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
