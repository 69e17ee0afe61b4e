"""Faces of an acquisition: the channels that a network needs, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

from models.acquired import Acquired, chosen_channels, keep_acquired, kept_acquired, on_network_scale
from models.errors import CheckpointDamagedError, ModelMismatchError
from models.normalisation import Normalisation


@pytest.fixture(scope="module")
def acquired() -> Acquired:
    """Three slices at three voltages, of 16 bits."""
    images = np.random.default_rng(0).integers(0, 60_000, (3, 3, 24, 32)).astype(np.uint16)
    return Acquired(images, (1.0, 2.0, 4.0), (4.1, 3.26), (10.2, 3.1))


def test_channels_come_in_the_order_of_the_network(acquired: Acquired) -> None:
    """By their voltages."""
    chosen = chosen_channels(acquired, (4.0, 1.0), "unet.onnx")
    np.testing.assert_array_equal(chosen.images, acquired.images[:, [2, 0]])
    assert chosen.voltages_kv == (4.0, 1.0)
    assert chosen.pixel_nm == acquired.pixel_nm


def test_a_voltage_that_was_not_acquired_is_refused(acquired: Acquired) -> None:
    """With which there are, and what to give."""
    with pytest.raises(ModelMismatchError, match=r"3 kV, not of 1 kV \+ 2 kV \+ 4 kV.*--model"):
        chosen_channels(acquired, (3.0,), "unet.onnx")


def test_kept_faces_are_the_same(acquired: Acquired, tmp_path) -> None:
    """To the last bit, with their sizes."""
    keep_acquired(acquired, tmp_path / "acquired.npz")
    again = kept_acquired(tmp_path / "acquired.npz")
    assert again.images.dtype == np.uint16
    assert again.sha256 == acquired.sha256
    assert (again.voltages_kv, again.pixel_nm) == (acquired.voltages_kv, acquired.pixel_nm)
    assert again.thickness_nm == acquired.thickness_nm


@pytest.mark.parametrize("kept", [0, 200], ids=["empty", "cut"])
def test_damaged_faces_are_refused(acquired: Acquired, tmp_path, kept: int) -> None:
    """With what to remove."""
    path = tmp_path / "acquired.npz"
    keep_acquired(acquired, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointDamagedError, match=r"Remove this file"):
        kept_acquired(path)


def test_brightness_and_contrast_are_out_of_the_images(acquired: Acquired) -> None:
    """A face that is darker and flatter looks the same on the network's scale."""
    faces = acquired.images[:, 0]
    dim = (faces // 4 + 1000).astype(np.uint16)
    scale = Normalisation()
    np.testing.assert_allclose(on_network_scale(dim, scale), on_network_scale(faces, scale), atol=1e-3)
