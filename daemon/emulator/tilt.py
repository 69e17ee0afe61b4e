"""Tilt correction that is switched over during a run: the scan's rows move closer on the face, or apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from daemon.emulator.settings import EmulatorSettings

TILT_FAULT = "tilt-correction"


def is_corrected(settings: EmulatorSettings, index: int) -> bool:
    """Whether slice ``index`` (from 0) is recorded with tilt correction."""
    orders = [f for f in settings.faults if f.kind == TILT_FAULT and f.slice_number <= index + 1]
    return settings.tilt_correction != bool(len(orders) % 2)


def row_step(settings: EmulatorSettings, index: int) -> float:
    """Distance of the rows of slice ``index`` on the face, in rows of the run's first slice."""
    sine = math.sin(math.radians(settings.tilt_deg))
    own = 1.0 if is_corrected(settings, index) else 1.0 / sine
    return own / (1.0 if settings.tilt_correction else 1.0 / sine)


def margin_px(settings: EmulatorSettings, index: int) -> int:
    """Rows of the first slice's scan that this slice's sees beyond either edge, and some to interpolate."""
    beyond = 0.5 * settings.height * (row_step(settings, index) - 1.0)
    return 0 if row_step(settings, index) == 1.0 else 8 + max(math.ceil(beyond), 0)


def scanned(signal: NDArray[np.float32], settings: EmulatorSettings, index: int) -> NDArray[np.float32]:
    """What the scan of slice ``index`` sees of the clean ``signal`` (height + 2·margin, width) around it."""
    step, margin = row_step(settings, index), margin_px(settings, index)
    if step == 1.0:
        return signal
    centre = (settings.height - 1) / 2
    rows = margin + centre + (np.arange(settings.height) - centre) * step
    coordinates = np.meshgrid(rows, np.arange(settings.width), indexing="ij")
    seen = np.empty((settings.height, settings.width), dtype=np.float32)
    ndimage.map_coordinates(signal, coordinates, output=seen, order=3, mode="nearest")
    return seen
