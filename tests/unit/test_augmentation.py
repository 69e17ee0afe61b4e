"""Patches are varied within their limits and stay in register with their labels."""

import numpy as np
import pytest

from models.augmentation import Augmentation, random_patch
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
