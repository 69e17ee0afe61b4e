"""Tilt correction that is switched during a run: rows are resampled, and registration goes on exactly."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from algorithms.fiducials import FiducialRegion, register_image, start_registration
from algorithms.instrument import Conditions, expose
from algorithms.row_resampling import covered_rows, resample_rows
from daemon.config import Configuration, parse
from daemon.emulator import EmulatorSettings, configuration_table
from daemon.emulator.scene import build_scene, clean_signal, photograph
from daemon.geometry import conformed, face_geometry
from daemon.items import Frame, FrameMetadata

SINE = math.sin(math.radians(52.0))
SETTINGS = EmulatorSettings(slices=4, seed=12)
CHANNEL = SETTINGS.reference_channel


def configuration_of(settings: EmulatorSettings) -> Configuration:
    """A configuration that takes everything from the metadata."""
    return parse(configuration_table(settings, Path("a"), Path("b")), where=Path("c"))


def frame_of(image: np.ndarray, *, corrected: bool | None) -> Frame:
    """An image that says whether it is tilt corrected."""
    metadata = FrameMetadata("electron", 2.0, "TLD", 3.26, None, 52.0, corrected, None)
    return Frame(Path("x.tif"), 1, image, metadata, "")


def switched_on(settings: EmulatorSettings, index: int) -> np.ndarray:
    """Slice ``index`` as the same microscope records it with tilt correction: rows closer on the face."""
    scene = build_scene(settings)
    signal = clean_signal(scene, index, CHANNEL)
    height, width = signal.shape
    centre = (height - 1) / 2
    rows = centre + (np.arange(height) - centre) * SINE
    grid = np.meshgrid(rows, np.arange(width), indexing="ij")
    stretched = ndimage.map_coordinates(signal, grid, order=3, mode="nearest").astype(np.float32)
    rng = np.random.default_rng(index)
    calm = Conditions(np.zeros(width, np.float32), 0.0, 0.0)
    return expose(stretched, settings.instruments[CHANNEL], rng, calm)


def test_a_smooth_picture_survives_both_ways() -> None:
    """Stretched and shrunk again, a smooth picture is itself to 0.3 % of its range where it is covered."""
    y, x = np.mgrid[0:120, 0:40].astype(np.float32)
    picture = (100 + 50 * np.sin(y / 6.0) * np.cos(x / 9.0)).astype(np.float32)
    back = resample_rows(resample_rows(picture, SINE), 1 / SINE)
    rows = covered_rows(120, 1 / SINE)
    inside = slice(rows.start + 8, rows.stop - 8)
    assert np.abs(back[inside] - picture[inside]).max() < 0.3


def test_rows_are_where_the_ratio_puts_them() -> None:
    """A row at distance d from the centre moves to d / ratio, and the centre stays."""
    ramp = np.repeat(np.arange(101, dtype=np.float32)[:, None], 3, axis=1)
    stretched = resample_rows(ramp, 0.5)
    assert stretched[50, 0] == pytest.approx(50.0, abs=1e-4)
    assert stretched[70, 0] == pytest.approx(60.0, abs=1e-4)


def test_brightness_and_type_are_kept() -> None:
    """A constant image stays constant, in its own dtype, however far rows are moved."""
    for kind in (np.uint8, np.uint16):
        flat = np.full((64, 16), 77, kind)
        assert np.array_equal(resample_rows(flat, 1.27), flat)


def test_a_ratio_of_zero_is_refused() -> None:
    """No row step, no image."""
    with pytest.raises(ValueError, match="ratio above 0"):
        resample_rows(np.zeros((4, 4), np.uint8), 0.0)


def test_registration_goes_on_when_correction_is_switched_on() -> None:
    """Slices 3 and 4 come tilt corrected: their fiducial shift stays within 0.15 px of the truth."""
    configuration = configuration_of(SETTINGS)
    scene = build_scene(SETTINGS)
    frames = [frame_of(photograph(scene, n, CHANNEL), corrected=False) for n in (0, 1)]
    frames += [frame_of(switched_on(SETTINGS, n), corrected=True) for n in (2, 3)]
    geometry = face_geometry(configuration, frames[0])
    f = configuration.fiducials[0]
    state = start_registration((FiducialRegion(f.x, f.y, f.width, f.height, 20),), ("2kV",), "2kV")
    for index, frame in enumerate(frames):
        fitting = conformed(configuration, geometry, frame)
        state, found = register_image(state, "2kV", fitting.image)
        assert bool(fitting.notes) == (index > 1)
        truth = scene.plan.shifts_px[index, CHANNEL]
        assert found.source == "fiducial"
        assert np.abs(np.array([found.dy_px, found.dx_px]) - truth).max() < 0.15


def test_without_resampling_the_same_slices_are_not_recognised() -> None:
    """The counter-check: a corrected image registered as it is misses the truth by pixels."""
    configuration = configuration_of(SETTINGS)
    scene = build_scene(SETTINGS)
    f = configuration.fiducials[0]
    state = start_registration((FiducialRegion(f.x, f.y, f.width, f.height, 20),), ("2kV",), "2kV")
    state, _ = register_image(state, "2kV", photograph(scene, 0, CHANNEL))
    _, found = register_image(state, "2kV", switched_on(SETTINGS, 2))
    assert abs(found.dy_px - scene.plan.shifts_px[2, CHANNEL, 0]) > 1.0


def test_an_image_that_does_not_say_is_like_the_first() -> None:
    """Missing metadata changes nothing; neither does a configured answer."""
    configuration = configuration_of(SETTINGS)
    image = np.full((40, 30), 9, np.uint8)
    geometry = face_geometry(configuration, frame_of(image, corrected=True))
    silent = frame_of(image, corrected=None)
    assert conformed(configuration, geometry, silent) is silent
    section = configuration.geometry.model_copy(update={"tilt_correction": True})
    told = configuration.model_copy(update={"geometry": section})
    switched = frame_of(image, corrected=False)
    assert conformed(told, geometry, switched) is switched
