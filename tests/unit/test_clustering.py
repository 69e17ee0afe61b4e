"""k-means of grey values finds well-separated phases, and is fooled by shine-through, as published."""

import numpy as np
import pytest

from algorithms.clustering import brightest_cluster


def three_phases(rng, shape=(120, 160)):
    """Pore 40, shine-through 110, solid 200, noise 12; the truth is where it is solid."""
    phase = rng.choice(3, p=[0.7, 0.15, 0.15], size=shape)
    grey = np.array([40, 110, 200])[phase] + rng.normal(0, 12, size=shape)
    return np.clip(grey, 0, 255), (phase == 2).astype(np.uint8)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 1), (np.uint16, 200)])
def test_finds_the_brightest_of_three_phases(dtype, scale):
    """At five sigma between phases fewer than 1 % of the pixels go wrong, with 8 bits as with 16."""
    image, truth = three_phases(np.random.default_rng(1))
    found = brightest_cluster((image * scale).astype(dtype))
    assert np.mean(found != truth) < 0.01


def test_does_not_depend_on_brightness_or_contrast():
    """Whatever the operator turned, the labels are the same."""
    image = three_phases(np.random.default_rng(2))[0].astype(np.uint16)
    assert np.array_equal(brightest_cluster(image), brightest_cluster(image * 3 + 1000))


def test_is_a_fixed_point_of_lloyds_iteration():
    """The threshold is half-way between the means of the two brightest clusters it separates."""
    image = three_phases(np.random.default_rng(3))[0].astype(np.uint8)
    found = brightest_cluster(image, clusters=2)
    threshold = (image[found == 0].mean() + image[found == 1].mean()) / 2
    assert image[found == 0].max() <= threshold < image[found == 1].min()


def test_a_flat_image_is_all_one_phase():
    """Nothing to separate is no error."""
    assert len(np.unique(brightest_cluster(np.full((8, 8), 7, dtype=np.uint8)))) == 1
