"""Scenes are reproducible, varied, labelled in register, and never shared between purposes."""

from itertools import pairwise

import numpy as np
import pytest

from models.scenes import (
    ENSEMBLE_SEEDS,
    HELD_OUT_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    SceneSize,
    draw_instrument,
    draw_structure,
    render_scene,
)

SMALL = SceneSize(blocks=2, block_px=48, slices=3)


@pytest.fixture(scope="module")
def scene():
    return render_scene(TRAINING_SEEDS[0], (1.0, 4.0), SMALL)


def test_a_seed_gives_the_same_bytes(scene):
    """Training data need no storing: the seed is the data."""
    again = render_scene(TRAINING_SEEDS[0], (1.0, 4.0), SMALL)
    assert np.array_equal(scene.images, again.images)
    assert np.array_equal(scene.labels, again.labels)


def test_shapes_are_as_documented(scene):
    """(slice, channel, y, x) and (slice, y, x), blocks side by side."""
    assert scene.images.shape == (3, 2, 48, 96)
    assert scene.labels.shape == (3, 48, 96)
    assert scene.images.dtype == scene.labels.dtype == np.uint8
    assert set(np.unique(scene.labels)) <= {0, 1}


def test_solid_is_brighter_and_most_so_at_low_voltage():
    """Labels lie on what they label: at 1 kV they explain the grey values better than at 4 kV."""
    size = SceneSize(blocks=2, block_px=64, slices=2)
    scenes = [render_scene(seed, (1.0, 4.0), size) for seed in TRAINING_SEEDS[:8]]
    correlations = np.array(
        [
            [np.corrcoef(scene.images[:, c].ravel(), scene.labels.ravel())[0, 1] for c in range(2)]
            for scene in scenes
            if 0.02 < scene.labels.mean() < 0.98
        ]
    )
    assert np.median(correlations[:, 0]) > 0.7
    assert np.all(correlations[:, 0] > correlations[:, 1])


def test_purposes_share_no_seed():
    """Training, ensemble, validation and held-out seeds are disjoint, and all beyond the emulator's."""
    ranges = [range(10_000), TRAINING_SEEDS, ENSEMBLE_SEEDS, VALIDATION_SEEDS, HELD_OUT_SEEDS]
    assert all(left.stop <= right.start for left, right in pairwise(ranges))


def test_microscopes_and_samples_differ():
    """Networks are not trained on one noise level or one solid fraction, and see plain networks too."""
    rng = np.random.default_rng(0)
    doses = [draw_instrument(2.0, rng).dose_electrons for _ in range(50)]
    assert max(doses) > 3 * min(doses)
    plain = [np.isneginf(draw_structure(rng).coarse_threshold) for _ in range(20)]
    assert any(plain)
    assert not all(plain)
