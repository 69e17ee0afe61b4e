"""Normalisation takes out brightness and contrast, and nothing else."""

import numpy as np
import pytest

from models.normalisation import Normalisation, face_limits, normalise

USUAL = Normalisation()


def face(rng, shape=(90, 130)):
    return rng.normal(100, 20, size=shape).clip(1, 254).astype(np.uint8)


def scaled(image):
    return normalise(image, face_limits(image, USUAL), USUAL)


def test_limits_are_percentiles_of_the_whole_image():
    """They are the grey values below which 1 % and 99 % of the pixels lie."""
    image = face(np.random.default_rng(0))
    expected = np.percentile(image, [1, 99], method="inverted_cdf")
    assert face_limits(image, USUAL) == tuple(expected)


def test_brightness_and_contrast_disappear():
    """A linear change of grey values changes nothing."""
    image = face(np.random.default_rng(1)).astype(np.uint16)
    np.testing.assert_allclose(scaled(image * 40 + 700), scaled(image), atol=1e-6)


def test_a_crop_is_scaled_like_the_whole():
    """Tiles are normalised by the image's limits, not their own."""
    image = face(np.random.default_rng(2))
    limits = face_limits(image, USUAL)
    assert np.array_equal(normalise(image[10:40, 20:60], limits, USUAL), scaled(image)[10:40, 20:60])


@pytest.mark.parametrize("grey", [0, 255])
def test_hot_and_dead_pixels_are_cut(grey):
    """An outlier moves neither the limits nor anything beyond floor and ceiling."""
    image = np.clip(face(np.random.default_rng(3)), 90, 110)
    image[0, 0] = grey
    values = scaled(image)
    assert values.min() >= USUAL.floor
    assert values.max() <= USUAL.ceiling
    assert abs(values[0, 0] - 0.5) == pytest.approx(1.0)


def test_a_flat_image_becomes_zero():
    """No contrast: no division by zero, no warning."""
    assert not scaled(np.full((5, 6), 80, dtype=np.uint8)).any()
