"""Patches are varied within their limits and stay in register with their labels."""

from dataclasses import replace

import numpy as np
import pytest

from models.augmentation import Augmentation, farthest_neighbour, random_patch, random_window
from models.datasets import PreparedScene, block_crops, cut_patch
from models.normalisation import Normalisation, face_limits
from models.scenes import Scene

NONE = Augmentation(end_share=0, gap_share=0, contrast=0, brightness=0, flicker=0, noise=0)


def labelled_scene(square_pixels=True):
    """Two channels whose grey values tell label and slice: 40 + 100·label + slice."""
    rng = np.random.default_rng(0)
    labels = (rng.random((9, 48, 96)) < 0.4).astype(np.uint8)
    images = 40 + 100 * labels + np.arange(9, dtype=np.uint8)[:, None, None]
    scene = Scene(np.stack([images, images], axis=1).astype(np.uint8), labels, 48, square_pixels)
    # percentiles 0 and 100 keep the two levels of each image at exactly 0 and 1
    limits = [
        [face_limits(image, Normalisation(1e-9, 100)) for image in channels] for channels in scene.images
    ]
    return PreparedScene(scene, limits)


def draw(prepared, augmentation, seed, channels=(0, 1)):
    rng = np.random.default_rng(seed)
    return random_patch([prepared], channels, 32, 7, Normalisation(), augmentation, rng)


@pytest.mark.parametrize("seed", range(8))
def test_labels_turn_with_their_images(seed):
    """After flips and turns the middle slice still shows its labels, in every channel."""
    images, labels = draw(labelled_scene(), NONE, seed)
    assert images.shape == (2, 7, 32, 32)
    assert images.dtype == np.float32
    for channel in images:
        np.testing.assert_allclose(channel[3], labels, atol=1e-6)


def test_rows_stay_rows_where_pixels_are_not_square():
    """Foreshortened images are flipped but never turned by 90°."""
    prepared = labelled_scene(square_pixels=False)
    stripes = np.broadcast_to((np.arange(48) // 2 % 2).astype(np.uint8)[None, :, None], (9, 48, 96))
    prepared.scene.labels[:] = stripes
    for seed in range(12):
        labels = draw(prepared, NONE, seed)[1]
        assert (labels == labels[:, :1]).all()


def test_ends_and_gaps_repeat_neighbours():
    """As if the run ended in the window: outer slices repeat, the middle one is never replaced."""
    prepared = labelled_scene()
    ended = Augmentation(end_share=1, gap_share=0, contrast=0, brightness=0, flicker=0, noise=0)
    for seed in range(10):
        images, labels = draw(prepared, ended, seed)
        steps = np.abs(np.diff(images[0], axis=0)).max(axis=(1, 2))
        assert (steps == 0).any()
        np.testing.assert_allclose(images[0, 3], labels, atol=1e-6)


def test_light_varies_within_its_limits():
    """Brightness and contrast move the two levels by no more than the limits allow, and do move them."""
    wide = Augmentation(end_share=0, gap_share=0, contrast=0.2, brightness=0.1, flicker=0.0, noise=0.0)
    levels = []
    for seed in range(30):
        images, labels = draw(labelled_scene(), wide, seed, channels=(0,))
        levels.append((images[0, 3][labels == 0].mean(), images[0, 3][labels == 1].mean()))
    dark, bright = np.array(levels).T
    assert np.abs(dark).max() <= 0.1
    assert np.abs(bright - dark - 1).max() <= 0.2 + 1e-6
    assert np.ptp(bright - dark) > 0.2


def test_blocks_are_judged_without_their_bleeding_edges():
    """Validation crops keep off the seams between blocks and have all their neighbours."""
    prepared = labelled_scene()
    crops = list(block_crops(prepared.scene, 7))
    assert [crop.centre for crop in crops] == [3, 3, 4, 4, 5, 5]
    assert {(crop.columns.start, crop.columns.stop) for crop in crops} == {(8, 40), (56, 88)}
    images, labels = cut_patch(prepared, crops[0], [1], Normalisation())
    np.testing.assert_allclose(images[0, 3], labels, atol=1e-6)


@pytest.mark.parametrize(
    "fault", [{"blur": 2.0}, {"curtaining": 0.5}, {"misregistration": 1.0}], ids=lambda it: next(iter(it))
)
def test_faults_of_imaging_leave_the_labels(fault):
    """What is shown differs from what is there; what is there does not change."""
    plain = draw(labelled_scene(), NONE, 3)
    faulty = draw(labelled_scene(), replace(NONE, **fault), 3)
    np.testing.assert_array_equal(faulty[1], plain[1])
    assert np.abs(faulty[0] - plain[0]).max() > 0.05


def test_thickness_stretches_and_squeezes_the_window():
    """± 50 %: neighbours repeat or are left out, so that the window spans from half to one and a half times
    as many slices; the middle one is never replaced, and the order of milling is kept."""
    half = replace(NONE, thickness=0.5)
    windows = [random_window(10, 21, 7, half, np.random.default_rng(seed)) for seed in range(200)]
    spans = [window[-1] - window[0] for window in windows]
    assert (min(spans), max(spans)) == (4, 8)
    assert np.mean(spans) == pytest.approx(6, abs=0.3)
    assert {window[3] for window in windows} == {10}
    assert all(list(window) == sorted(window) for window in windows)
    assert max(spans) // 2 == farthest_neighbour(7, half)
    assert farthest_neighbour(7, NONE) == 3


def test_a_stretched_window_ends_with_the_run():
    """At its ends the outermost slice repeats, as it does when a network is used."""
    half = replace(NONE, thickness=0.5)
    for seed in range(40):
        window = random_window(1, 5, 7, half, np.random.default_rng(seed))
        assert min(window) == 0
        assert max(window) <= 4


def test_a_network_of_single_images_has_no_neighbours():
    """Neither ends nor gaps of a run can take anything away."""
    assert random_window(4, 9, 1, Augmentation(end_share=1, gap_share=1), np.random.default_rng(0)) == (4,)
