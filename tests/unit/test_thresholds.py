"""Thresholds on grey values: where they should be is known, or found by scikit-learn as well."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from algorithms.thresholds import (
    GreyBands,
    class_histograms,
    classify_greys,
    double_threshold,
    entropy_thresholds,
)


@pytest.fixture
def electrode():
    """Dark and bright pores, carbon, active material: an image uint8 and its phases."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, size=(96, 128), p=(0.5, 0.35, 0.15)).astype(np.uint8)
    bright = (labels == 0) & (rng.uniform(size=labels.shape) < 0.5)
    means = np.array([12.0, 62.0, 38.0])[labels]
    image = np.where(bright, 120.0, means) + rng.normal(0, 4, labels.shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


def test_bands_are_assigned_as_said():
    """A threshold is the first grey value of the upper band."""
    image = np.array([[0, 27, 28, 48, 49, 75, 76, 255]], dtype=np.uint8)
    found = classify_greys(image, GreyBands((28, 49, 76), (0, 2, 1, 0)))
    assert found.tolist() == [[0, 0, 2, 2, 1, 1, 0, 0]]


def test_two_thresholds_embrace_the_middle_peak(electrode):
    """At half height of a Gaussian of σ 4 (√(4² + 2²) smoothed): 38 ± 5.3."""
    low, high = double_threshold(class_histograms(*electrode, 3)).thresholds
    assert low == pytest.approx(38 - 5.3, abs=2)
    assert high == pytest.approx(38 + 5.3, abs=2)


def test_the_third_threshold_gives_bright_pores_back(electrode):
    """Two thresholds take them for active material; three do not, and put the borders between the peaks."""
    image, labels = electrode
    histograms = class_histograms(image, labels, 3)
    two, three = double_threshold(histograms), entropy_thresholds(histograms)
    assert three.phases == (0, 2, 1, 0)
    assert 20 < three.thresholds[0] < 30
    assert 75 < three.thresholds[2] < 110
    assert np.mean(classify_greys(image, two) != labels) > 0.2
    assert np.mean(classify_greys(image, three) != labels) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_no_tree_of_depth_two_has_less_entropy(seed):
    """scikit-learn's greedy tree is at best as good."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 3000).astype(np.uint8)
    image = np.clip(rng.normal(np.array([60, 90, 140])[labels], 30), 0, 255).astype(np.uint8)
    bands = entropy_thresholds(class_histograms(image, labels, 3))
    tree = DecisionTreeClassifier(criterion="entropy", max_depth=2).fit(image[:, None], labels)
    ours = np.searchsorted(bands.thresholds, image, side="right")
    assert conditional_entropy(ours, labels) <= conditional_entropy(tree.apply(image[:, None]), labels) + 1e-9


def conditional_entropy(bands, labels):
    """−Σ n log(n/N) over bands and phases."""
    total = 0.0
    for band in np.unique(bands):
        counts = np.bincount(labels[bands == band])
        counts = counts[counts > 0]
        total -= float(counts @ np.log(counts / counts.sum()))
    return total


def test_pixels_that_nobody_labelled_count_nowhere(electrode):
    """255 is no phase."""
    image, labels = electrode
    sparse = np.where(np.arange(labels.shape[1]) < 20, labels, 255).astype(np.uint8)
    assert class_histograms(image, sparse, 3).sum() == labels.shape[0] * 20
