"""Images beside known ones: what does not matter, what must be noticed, what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.image_domain import (
    FIGURES,
    SMALLEST_PX,
    domain_distance,
    image_figures,
    learned_domain,
)


def face(seed: int, side: int = 256) -> np.ndarray:
    """Bright blobs on dark with noise, grey values 0…255 as float."""
    rng = np.random.default_rng(seed)
    field = rng.standard_normal((side, side))
    spectrum = np.fft.rfft2(field)
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    smooth = np.fft.irfft2(spectrum * np.exp(-((np.hypot(y, x) * 16) ** 2)), s=field.shape)
    return 60 + 100 * (smooth > 0.8 * smooth.std()) + rng.normal(0, 8, field.shape)


def limits(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, (1, 99))
    return float(low), float(high)


def figures(image: np.ndarray) -> np.ndarray:
    return image_figures(image, *limits(image))


@pytest.fixture(scope="module")
def known() -> np.ndarray:
    """Figures of forty faces."""
    return np.array([figures(face(seed)) for seed in range(40)])


def test_brightness_and_contrast_do_not_matter() -> None:
    """Grey values scaled and moved: the same figures."""
    image = face(1)
    changed = 0.4 * image + 30
    np.testing.assert_allclose(figures(changed), figures(image), atol=1e-4)


def test_known_images_are_at_a_distance_of_one_on_average(known: np.ndarray) -> None:
    """By construction, of those that were learned from."""
    domain = learned_domain(known)
    mean_square = np.mean([domain_distance(domain, one) ** 2 for one in known])
    assert mean_square == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image + np.random.default_rng(5).normal(0, 14, image.shape),
        lambda image: 255 - image,
        lambda image: image + 30 * np.random.default_rng(6).standard_normal(len(image))[:, None],
    ],
    ids=["noise", "inversion", "lines"],
)
def test_a_change_of_the_images_is_far_outside(known: np.ndarray, change) -> None:
    """Noise, grey values the other way round, lines."""
    domain = learned_domain(known)
    found = figures(change(face(99)))
    assert domain_distance(domain, found) > 3 * domain_distance(domain, figures(face(99)))


@pytest.mark.parametrize("image", [face(1, SMALLEST_PX - 1), np.full((256, 256), 7.0)], ids=["small", "flat"])
def test_an_image_without_enough_in_it_says_nothing(known: np.ndarray, image: np.ndarray) -> None:
    """NaN, not a distance."""
    found = figures(image)
    assert np.isnan(found).all()
    assert np.isnan(domain_distance(learned_domain(known), found))


def test_too_few_images_are_refused(known: np.ndarray) -> None:
    """A covariance needs more images than figures."""
    with pytest.raises(ValueError, match="give more"):
        learned_domain(known[: FIGURES + 1])
