"""Synthetic scenes like an acquisition, and their images in its style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.acquired import Acquired, on_network_scale
from models.adapted_scenes import (
    as_grey,
    channel_images,
    missing_noise,
    noise_rms,
    restyled_scene,
    synthetic_scene,
    with_noise,
)
from models.normalisation import Normalisation
from models.scenes import Scene, SceneSize

SCALE = Normalisation()
SIZE = SceneSize(blocks=2, block_px=64, slices=3)
LIKE = Acquired(np.zeros((1, 2, 8, 8), np.uint8), (1.0, 4.0), (3.26, 3.26), (10.0, 2.0))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return synthetic_scene(70_001, LIKE, SIZE)


def test_a_seed_gives_the_same_scene(scene: Scene) -> None:
    """Images of the acquisition's voltages, labels of both phases."""
    again = synthetic_scene(70_001, LIKE, SIZE)
    np.testing.assert_array_equal(scene.images, again.images)
    assert scene.images.shape == (3, 2, 64, 128)
    assert 0 < scene.labels.mean() < 1
    assert scene.square_pixels


def test_rows_are_as_high_as_the_acquisitions() -> None:
    """Twice as high rows show twice the height: ligaments are half as many rows high."""
    tall = synthetic_scene(70_001, replace(LIKE, pixel_nm=(6.52, 3.26)), SIZE)
    usual = synthetic_scene(70_001, LIKE, SIZE)

    def changes(labels: np.ndarray) -> int:
        return int((np.diff(labels.astype(int), axis=1) != 0).sum())

    assert changes(tall.labels) > 1.3 * changes(usual.labels)
    assert not tall.square_pixels


def test_a_style_changes_images_and_not_labels(scene: Scene) -> None:
    """Each channel by its own: here the first is inverted, and the second is left."""
    styled = restyled_scene(scene, [lambda images: 1 - images, lambda images: images], SCALE)
    np.testing.assert_array_equal(styled.labels, scene.labels)
    before, after = (channel_images([one], 0, SCALE) for one in (scene, styled))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] < -0.99
    before, after = (channel_images([one], 1, SCALE) for one in (scene, styled))
    np.testing.assert_allclose(after, before, atol=0.03)  # 8 bits between floor and ceiling


@pytest.mark.parametrize("rms", [0.03, 0.1, 0.3])
def test_noise_is_measured_beside_slopes_and_edges(rms: float) -> None:
    """To 5 %, on ramps and steps that are many times stronger."""
    y, x = np.mgrid[:128, :128]
    clean = (0.02 * x + 0.01 * y + (x > 64))[None].astype(np.float32)
    assert noise_rms(with_noise(rms, clean)) == pytest.approx(rms, rel=0.05)


def test_noise_that_is_missing_makes_images_as_noisy() -> None:
    """Of noisier ones what is missing, of less noisy ones nothing; the same images get the same noise."""
    clean = np.zeros((2, 96, 96), np.float32)
    faint, strong = with_noise(0.1, clean), with_noise(0.25, clean + 1)
    assert noise_rms(with_noise(missing_noise(faint, strong), faint)) == pytest.approx(0.25, rel=0.05)
    assert missing_noise(strong, faint) == 0
    np.testing.assert_array_equal(with_noise(0.1, clean), faint)


def test_grey_values_span_floor_to_ceiling() -> None:
    """What is beyond is cut."""
    values = np.array([[[-3.0, -0.5, 0.5, 1.5, 9.0]]], np.float32)
    assert as_grey(values, SCALE).tolist() == [[[0, 0, 128, 255, 255]]]


def test_as_grey_is_undone_by_the_networks_own_scaling(scene: Scene) -> None:
    """Labels of a network do not depend on the detour over 8 bits."""
    images = channel_images([scene], 0, SCALE)
    np.testing.assert_allclose(on_network_scale(as_grey(images, SCALE), SCALE), images, atol=0.03)
