"""How pixels become nanometres on a tilted face, from trigonometry and from what images say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from daemon.config import Configuration, parse
from daemon.errors import ConfigurationError
from daemon.geometry import face_geometry
from daemon.items import Frame, FrameMetadata


def configured(**geometry: object) -> Configuration:
    table = {
        "run": {"folder": "a", "output": "b"},
        "channels": [{"name": "2kV", "voltage_kv": 2.0}],
        "geometry": geometry,
    }
    return parse(table, where=Path("config.toml"))


def frame(pixel_size_nm: float | None = 4.0, tilt_correction: bool | None = False) -> Frame:
    metadata = FrameMetadata("electron", 2.0, "TLD", pixel_size_nm, None, 52.0, tilt_correction, None)
    return Frame(Path("image.tif"), 1, np.zeros((2, 2), np.uint8), metadata, "00")


def test_rows_are_foreshortened_by_the_sine_of_the_tilt():
    """At 52° one row is 1/0.788 of a column on the face; tilt correction makes them equal."""
    plain = face_geometry(configured(), frame())
    assert plain.pixel_x_nm == 4.0
    assert plain.pixel_y_nm == pytest.approx(4.0 / 0.788, rel=1e-4)
    corrected = face_geometry(configured(), frame(tilt_correction=True))
    assert (corrected.pixel_x_nm, corrected.pixel_y_nm) == (4.0, 4.0)


@pytest.mark.parametrize("corrected", [False, True])
def test_recession_is_the_path_of_the_face_in_the_image(corrected):
    """Milling d nm moves the face by d·cos(tilt) in the beam's plane, d/tan(tilt) on corrected images."""
    geometry = face_geometry(configured(tilt_deg=52.0), frame(tilt_correction=corrected))
    depth_nm, tilt = 100.0, math.radians(52.0)
    travelled_nm = depth_nm / math.tan(tilt) if corrected else depth_nm * math.cos(tilt)
    assert geometry.recession_px_per_nm * depth_nm == pytest.approx(travelled_nm / 4.0)


def test_the_configuration_overrules_the_metadata():
    """A pixel size or correction that is configured is taken, whatever the image says."""
    geometry = face_geometry(configured(pixel_size_nm=5.0, tilt_correction=True), frame(4.0, False))
    assert (geometry.pixel_x_nm, geometry.pixel_y_nm) == (5.0, 5.0)


def test_an_unknown_pixel_size_is_an_error_with_its_remedy():
    """No length is ever guessed."""
    with pytest.raises(ConfigurationError, match=r"geometry\.pixel_size_nm"):
        face_geometry(configured(), frame(pixel_size_nm=None))


def test_the_volume_gets_the_same_pixels():
    """Faces arrive registered, so no shift is left."""
    geometry = face_geometry(configured(), frame())
    pixels = geometry.pixels
    assert (pixels.pixel_y_nm, pixels.pixel_x_nm) == (geometry.pixel_y_nm, geometry.pixel_x_nm)
    assert (pixels.shift_y_px, pixels.shift_x_px) == (0.0, 0.0)
