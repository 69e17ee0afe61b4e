"""Faults of imaging have the effect that their names promise, and no more of it than was asked for."""

from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from models.imaging_faults import blurred, curtained, misregistered

SEEDS = range(6)


def texture(shape=(3, 5, 64, 64)):
    """White noise, smoothed so that half a pixel of displacement can be measured."""
    noise = np.random.default_rng(1).standard_normal(shape)
    return ndimage.gaussian_filter(noise, (0, 0, 2, 2)).astype(np.float32)


def displacement(image, other):
    """By least squares, (y, x) px: other(p) ≈ image(p − d) ≈ image − d·∇image, to first order."""
    inner = (slice(6, -6), slice(6, -6))
    slopes = np.stack([slope[inner].ravel() for slope in np.gradient(image)], axis=1)
    return -np.linalg.lstsq(slopes, (other - image)[inner].ravel(), rcond=None)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_misregistration_moves_each_voltage_by_less_than_so_much(seed):
    """All slices of a voltage alike, the voltages apart."""
    images = texture()
    moved = misregistered(images, 0.5, np.random.default_rng(seed))
    measured = np.array(
        [
            [displacement(*pair) for pair in zip(channel, new, strict=True)]
            for channel, new in zip(images, moved, strict=True)
        ]
    )
    assert np.abs(measured).max() < 0.55
    assert np.ptp(measured, axis=1).max() < 0.1
    assert np.ptp(measured[:, 0], axis=0).max() > 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_blur_lowers_high_frequencies_and_leaves_the_mean(seed):
    """The more, the finer; by no more than a Gaussian of the largest radius does."""
    images = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)
    smooth = blurred(images, 1.5, np.random.default_rng(seed))
    gain = np.abs(np.fft.rfft2(smooth)).mean((0, 1)) / np.abs(np.fft.rfft2(images)).mean((0, 1))
    fine, coarse = gain[16:32, 16:32].mean(), gain[1:4, 1:4].mean()
    widest = ndimage.gaussian_filter(images, (0, 0, 1.5, 1.5), mode="nearest")
    assert fine < coarse <= 1.05
    assert smooth.std() >= widest.std() - 1e-6
    np.testing.assert_allclose(smooth.mean((2, 3)), images.mean((2, 3)), atol=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_curtains_are_stripes_along_y(seed):
    """What is added is constant along y, the same at every voltage, other on each face, weak enough."""
    images = texture()
    added = curtained(images, 0.3, np.random.default_rng(seed)) - images
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :, :1], added.shape), atol=1e-5)
    np.testing.assert_allclose(added, np.broadcast_to(added[:1], added.shape), atol=1e-5)
    strength = np.sqrt((added[0, :, 0] ** 2).mean(axis=-1))
    assert 0 < strength.max() <= 0.3 + 1e-5
    np.testing.assert_allclose(added.mean((2, 3)), 0, atol=1e-5)
    apart = [np.abs(one - other).max() for one, other in combinations(added[0, :, 0], 2)]
    assert min(apart) > 0.1 * strength.max()


@pytest.mark.parametrize("fault", [misregistered, blurred, curtained], ids=lambda it: it.__name__)
def test_a_fault_of_no_strength_changes_nothing(fault):
    """Images keep their type, and what was given stays as it is."""
    images = texture()
    before = images.copy()
    untouched = fault(images, 0.0, np.random.default_rng(0))
    assert untouched.dtype == np.float32
    np.testing.assert_allclose(untouched, images, atol=1e-6)
    fault(images, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(images, before)
