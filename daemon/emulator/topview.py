"""The ion beam's view of the sample from above: surface, ruler trenches, the milled edge coming nearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algorithms.instrument import Instrument, expose
from algorithms.marks import PixelGrid, cross_coverage, edge_coverage, interval_coverage
from daemon.emulator.layout import RulerLayout
from daemon.emulator.plan import Stream, random_stream
from daemon.emulator.scene import Scene
from daemon.emulator.texture import texture_at

FIB_KV = 30.0
FIB_CURRENT_A = 80e-12
EDGE_SHARE = 0.85
"""Row of the milled edge at the start, over the image's height."""
INSTRUMENT = Instrument(dose_electrons=30.0, gain=1.3, offset=0.05, curtaining=0.0)


def top_view(scene: Scene, index: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The ion image (height, width) after slice ``index`` was cut: depth runs up the image."""
    settings, signals = scene.settings, scene.settings.signals
    height, width, pixel = settings.height, settings.width, settings.pixel_size_nm
    rows, columns = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    depth_nm = float(scene.plan.depths_nm[index])
    grain = texture_at(scene.grain, 2e4, rows * pixel, columns * pixel) * signals.grain
    signal = (signals.surface * (1.0 + grain)).astype(np.float32)
    if scene.layout.ruler is not None:
        row_depths_nm = (EDGE_SHARE * height - rows) * pixel
        trenches = _trenches(scene.layout.ruler, row_depths_nm, width, pixel)
        signal += (trenches * (signals.platinum - signal)).astype(np.float32)
    size = 0.08 * width
    fiducial = cross_coverage(
        PixelGrid(height, width), (0.18 * height, 0.88 * width), (size, size), (0.25 * size, 0.25 * size)
    )
    milled = edge_coverage(rows - (EDGE_SHARE * height - depth_nm / pixel))[:, None]
    for coverage in (fiducial, milled):
        signal += (coverage * (signals.trench - signal)).astype(np.float32)
    return expose(signal, INSTRUMENT, random_stream(settings, Stream.TOP_VIEW, index))


def _trenches(
    ruler: RulerLayout, row_depths_nm: NDArray[np.float64], width: int, pixel_nm: float
) -> NDArray[np.float64]:
    """The ruler seen from above: every row shows where the trenches are at its depth; (h, w) in [0, 1]."""
    half = ruler.mark_width_nm / pixel_nm / 2
    steepness = np.tan(np.radians(ruler.angle_deg)) / pixel_nm
    travel = steepness * row_depths_nm[:, None]
    bare = np.ones((len(row_depths_nm), width))
    for mark in ruler.marks:
        there = (mark.begins_nm <= row_depths_nm) | (mark.begins_nm == 0.0)  # what was milled before is gone
        there &= row_depths_nm < mark.ends_nm
        centre = mark.x_px + mark.direction * (travel - steepness * mark.begins_nm)
        bare *= 1.0 - there[:, None] * interval_coverage(width, centre - half, centre + half)
    return 1.0 - bare
